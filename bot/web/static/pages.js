// Keeps a page true: ages count on, parts marked data-live are fetched anew when the server says so,
// and the slider of the heatmap shows its hour. Every page works without it.
"use strict";

(() => {
  const state = document.getElementById("live-state");
  const began = new Map();

  const ageText = (s) => {
    if (s < 120) return `${Math.floor(s)} s ago`;
    if (s < 7200) return `${Math.floor(s / 60)} min ago`;
    if (s < 172800) return `${Math.floor(s / 3600)} h ago`;
    return `${Math.floor(s / 86400)} d ago`;
  };
  const tick = () => {
    const now = performance.now() / 1000;
    for (const one of document.querySelectorAll("[data-age]")) {
      if (!began.has(one)) began.set(one, now);
      one.textContent = ageText(Number(one.dataset.age) + now - began.get(one));
    }
  };
  setInterval(tick, 1000);

  // Somebody who types, or has opened a part, must not lose it to a refresh.
  const inUse = (part) => {
    const at = document.activeElement;
    if (part.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) return true;
    return [...part.querySelectorAll("input:not([type=hidden])")].some((i) => i.value !== i.defaultValue);
  };

  // A button must never come to mean another proposal under somebody's pointer.
  const proposals = (part) => [...part.querySelectorAll("[data-proposal]")].map((one) => one.dataset.proposal);
  const otherProposals = (part, next) => {
    const shown = proposals(part);
    if (!shown.length || shown.join() === proposals(next).join()) return false;
    for (const one of part.querySelectorAll("[data-proposal] button")) one.disabled = true;
    document.getElementById("changed").hidden = false;
    return true;
  };

  let busy = false;
  let again = false;
  const refresh = async (address = location.href, force = false) => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[id][data-live], #live")) {
        const next = fresh.getElementById(part.id);
        if (!next || otherProposals(part, next) || (!force && inUse(part))) continue;
        const open = [...part.querySelectorAll("details")].map((d) => d.open);
        part.replaceWith(document.adoptNode(next));
        next.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
      }
      began.clear();
    } catch {
      // The stream tells when the server is back.
    } finally {
      busy = false;
      if (again) { again = false; refresh(address, force); }
    }
  };

  let mark = "";
  const stream = new EventSource("/events");
  stream.addEventListener("mark", (event) => {
    state.textContent = "● live";
    state.className = "live on";
    const changed = mark !== "" && event.data !== mark;
    mark = event.data;
    const live = document.getElementById("live");
    if (changed && (!live || live.hasAttribute("data-live"))) refresh();
  });
  stream.addEventListener("error", () => {
    state.textContent = "○ not live";
    state.className = "live off";
  });

  const hour = document.getElementById("hour");
  if (hour) {
    const told = document.getElementById("hour-text");
    const chosen = document.getElementById("window");
    const show = () => {
      const address = `/heatmap?hour=${hour.value}&window=${encodeURIComponent(chosen.value)}`;
      history.replaceState(null, "", address);
      refresh(address, true);
    };
    hour.addEventListener("input", () => {
      const when = new Date(Number(hour.value) * 3600000).toISOString();
      told.textContent = `${when.slice(0, 10)} ${when.slice(11, 19)} UTC`;
    });
    hour.addEventListener("change", show);
    chosen.addEventListener("change", show);
  }
})();
