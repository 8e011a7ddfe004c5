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
      figure.data[0].colorbar.orientation = "h";
      figure.data[0].colorbar.y = 1.02;
      figure.data[0].colorbar.yanchor = "bottom";
      figure.data[0].colorbar.title = { text: "" };
      layout.font.size = size > 16 ? 9 : 10;
      layout.height = width + 40;
    }
  }

  function draw(place) {
    var figure = paint(figures[place.dataset.chart], getComputedStyle(root));
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
