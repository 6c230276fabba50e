"use strict";
// Draws each figure from the JSON beside it; colors of text and lines come from the style sheet.
for (const figure of document.querySelectorAll("figure[data-plot]")) {
  const plot = figure.querySelector(".plot");
  const select = figure.querySelector("select");
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  if (plot.clientWidth < 640) { // no room beside the drawing: the legend goes below it
    layout.height += 22 * data.filter((trace) => trace.visible).length;
    Object.assign(layout.legend, { x: 0, y: -0.18, orientation: "h" });
  }
  Plotly.newPlot(plot, data, layout, { responsive: true, displayModeBar: false });
  if (select) {
    const show = () => Plotly.restyle(plot, { visible: data.map((trace) => trace.meta === Number(select.value)) });
    select.addEventListener("change", show);
    show(); // a reloaded page may remember another choice
  }
}
