"use strict";
// Draws each figure from the JSON beside it; colors of text and lines come from the style sheet.
for (const figure of document.querySelectorAll("figure[data-plot]")) {
  const plot = figure.querySelector(".plot");
  const select = figure.querySelector("select");
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  Plotly.newPlot(plot, data, layout, { responsive: true, displayModeBar: false });
  if (select) {
    const show = () => Plotly.restyle(plot, { visible: data.map((trace) => trace.meta === Number(select.value)) });
    select.addEventListener("change", show);
    show(); // a reloaded page may remember another choice
  }
}
