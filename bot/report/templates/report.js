(function () {
  "use strict";
  var root = document.documentElement;
  var figures = JSON.parse(document.getElementById("chart-data").textContent);
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var touch = window.matchMedia("(pointer: coarse)");
  var printWidth = 660;

  // Colours stand in the figures as names of CSS properties; here they become the scheme's values.
  function paint(value, style) {
    if (typeof value === "string") {
      var name = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map(function (item) { return paint(item, style); });
    }
    if (value && typeof value === "object") {
      var copy = {};
      Object.keys(value).forEach(function (key) { copy[key] = paint(value[key], style); });
      return copy;
    }
    return value;
  }

  function narrow(figure, width) {
    var layout = figure.layout;
    layout.font.size = 11;
    layout.margin = { l: 44, r: 8, t: 8, b: 36 };
    layout.height += 20 * Math.max(0, figure.data.length - 3);
    if (figure.data[0].type === "heatmap") {
      var size = figure.data[0].z.length;
      figure.data[0].texttemplate = "";
      // Every name has a row of its own only where the letters are as small as the cells.
      var letters = Math.max(5, Math.min(10, 0.92 * (width - 70) / size));
      layout.xaxis.tickfont.size = letters;
      layout.yaxis.tickfont.size = letters;
      layout.margin = { l: 4, r: 4, t: 36, b: 4 };
      layout.height = width + 50;
    }
  }

  function nameCells(trace) {
    trace.hovertext = trace.z.map(function (row, i) {
      return row.map(function (value, j) {
        var told = value === null ? "–" : value.toFixed(2).replace("-", "−");
        return trace.meta[i] + " and " + trace.meta[j] + ": " + told;
      });
    });
  }

  function draw(place) {
    var figure = paint(figures[place.dataset.chart], getComputedStyle(root));
    if (figure.data[0].type === "heatmap") { nameCells(figure.data[0]); }
    var printing = root.hasAttribute("data-print");
    var width = printing ? printWidth : place.clientWidth;
    if (width < 520) { narrow(figure, width); }
    if (printing) { figure.layout.width = printWidth; }
    figure.layout.dragmode = touch.matches ? false : "zoom";
    return window.Plotly.react(place, figure.data, figure.layout, {
      displayModeBar: false, responsive: false, doubleClick: "reset", plotlyServerURL: ""
    });
  }

  function drawAll() {
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  function print(on) {
    if (on === root.hasAttribute("data-print")) { return; }
    if (on) { root.setAttribute("data-print", ""); } else { root.removeAttribute("data-print"); }
    drawAll();
  }

  drawAll();
  dark.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", function () { print(true); });
  window.addEventListener("afterprint", function () { print(false); });
  var pending = 0;
  window.addEventListener("resize", function () {
    window.clearTimeout(pending);
    pending = window.setTimeout(drawAll, 120);
  });
})();
