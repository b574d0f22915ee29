"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
// where nothing hovers, the buttons would always lie over the plot
const hovers = matchMedia("(hover: hover)").matches;
const options = { responsive: true, displaylogo: false, displayModeBar: hovers ? "hover" : false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

const NARROW_PX = 600;
const LEGEND_LINE_PX = 21;

function draw(element, figure) {
  const layout = { ...figure.layout, template: page.templates[dark.matches ? "dark" : "light"] };
  if (element.clientWidth < NARROW_PX) {
    // the legend takes a line for each trace: it goes below, and the plot keeps its height
    const lines = figure.data.filter((trace) => trace.showlegend !== false).length;
    layout.legend = { y: -68 / layout.height, yanchor: "top" };
    layout.height += lines * LEGEND_LINE_PX;
  }
  return Plotly.react(element, figure.data, layout, options);
}

function drawAll() {
  for (const element of document.querySelectorAll("[data-plot]")) draw(element, page.plots[element.dataset.plot]);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function fill(select, texts, chosen = 0) {
  select.replaceChildren(...texts.map((text, i) => element("option", { value: i, textContent: text })));
  select.value = Math.max(0, chosen);
}

// text that a plot shows as it stands
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// the part of the page that shows one video of one setting
class Lab {
  constructor() {
    this.group = page.groups[0];
    this.clip = null;
    this.className = "";
    this.players = new Players(byId("players"));
    if (byId("lab-group")) {
      fill(byId("lab-group"), page.groups.map((group) => group.title));
      byId("lab-group").addEventListener("change", (event) => this.chooseGroup(Number(event.target.value)));
    }
    byId("lab-video").addEventListener("change", (event) => this.chooseVideo(Number(event.target.value)));
    byId("curves-class").addEventListener("change", (event) => {
      this.className = this.classNames()[Number(event.target.value)];
      this.drawCurves();
    });
    byId("heat-all").addEventListener("change", () => this.showHeat());
    byId("heat-bar").src = page.heat_bar;
    for (const button of document.querySelectorAll(".choose")) {
      button.addEventListener("click", () => this.chooseVideo(Number(button.dataset.video)));
    }
    this.chooseGroup(0);
  }

  chooseGroup(index) {
    const before = this.clip ? this.clip.id : "";
    this.group = page.groups[index];
    for (const body of document.querySelectorAll("#worst tbody")) body.hidden = Number(body.dataset.group) !== index;
    const ids = this.group.videos.map((video) => video.id);
    fill(byId("lab-video"), ids);
    byId("heat-all").closest("p").hidden = !this.group.heat;
    byId("heat-all").checked &&= Boolean(this.group.heat);
    // the same video in another setting, if it is there
    this.chooseVideo(Math.max(0, ids.indexOf(before)));
  }

  chooseVideo(index) {
    this.clip = this.group.videos[index] || null;
    byId("lab-video").value = index;
    for (const button of document.querySelectorAll(".choose")) {
      const chosen = Number(button.dataset.video) === index;
      button.closest("tr").classList.toggle("chosen", chosen);
      button.setAttribute("aria-pressed", String(chosen));
    }
    const clip = this.clip || { players: [], curves: [], notes: [], fps: 25 };
    this.players.load(clip.players, clip.fps);
    byId("players-note").textContent = clip.players.length ? "" : "There are no videos to play (overlay.mp4, overlay_before.mp4).";
    byId("lab-notes").replaceChildren(...clip.notes.map((note) => element("li", { textContent: note })));
    this.showCurves(clip);
    this.showProfile(clip.profile);
    this.showHeat();
  }

  classNames() {
    const names = this.clip ? this.clip.curves.flatMap((row) => Object.keys(row.values)) : [];
    return [...new Set(names)];
  }

  showCurves(clip) {
    const names = this.classNames();
    if (!names.includes(this.className)) this.className = names[0] || "";
    fill(byId("curves-class"), names.map((name) => name || "all classes"), names.indexOf(this.className));
    byId("curves").closest("section").hidden = !clip.curves.length;
    if (clip.curves.length) this.drawCurves();
  }

  async drawCurves() {
    const rows = this.clip.curves.filter((row) => this.className in row.values);
    const data = rows.map((row) => ({
      y: row.values[this.className],
      name: plain(row.title),
      mode: "lines",
      line: { color: row.colour, dash: row.dash, width: 1.8 },
      hovertemplate: "%{y:.3f}<extra>%{fullData.name}</extra>",
    }));
    const share = this.className ? "the class's pixels" : "pixels";
    const yaxis = { title: { text: `ABA flicker [% of ${share}]` }, rangemode: "tozero" };
    const layout = { height: 340, hovermode: "x unified", xaxis: { title: { text: "frame" } }, yaxis };
    const plot = byId("curves");
    await draw(plot, { data, layout });
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", (event) => {
      this.players.pause();
      this.players.show(event.points[0].x);
    });
  }

  showProfile(profile) {
    byId("profile").closest("section").hidden = !profile;
    if (!profile) return;
    byId("profile-where").src = profile.where;
    const last = profile.first + profile.count - 1;
    byId("profile-caption").textContent =
      `Column ${profile.column} of ${profile.width}, frames ${profile.first} to ${last}.`;
    byId("profile-strips").replaceChildren(...profile.pictures.map((picture) => this.picture(picture, picture.title)));
    byId("profile-legend").replaceChildren(
      ...profile.classes.map((id) => {
        const swatch = element("i", {});
        swatch.style.background = this.group.colours[id] || "rgb(0,0,0)";
        return element("li", {}, swatch, this.group.classes[id] || (id === 255 ? "ignored" : String(id)));
      }),
    );
  }

  showHeat() {
    const heat = byId("heat-all").checked ? this.group.heat : this.clip && this.clip.heat;
    byId("heat").closest("section").hidden = !heat;
    if (!heat) return;
    byId("heat").replaceChildren(
      ...heat.pictures.map((picture) => this.picture(picture, `${picture.title}: ${picture.total.toLocaleString("en")} flips`)),
    );
    byId("heat-peak").textContent = `${Number(heat.peak.toFixed(1))} flips or more`;
  }

  picture(picture, caption) {
    const image = element("img", { src: picture.src, alt: caption });
    return element("figure", {}, element("figcaption", { textContent: caption }), image);
  }

  redraw() {
    if (this.clip && this.clip.curves.length) this.drawCurves();
  }
}

drawAll();
const lab = byId("lab") ? new Lab() : null;
dark.addEventListener("change", () => {
  drawAll();
  if (lab) lab.redraw();
});

// a list of settings that chooses which block of a table is shown
for (const select of document.querySelectorAll("[data-blocks]")) {
  const blocks = document.querySelectorAll(`#${select.dataset.blocks} tbody`);
  const choose = () => blocks.forEach((block) => (block.hidden = block.dataset.group !== select.value));
  select.addEventListener("change", choose);
  choose();
}

const allRows = byId("all-rows");
if (allRows) {
  const toggle = () => byId("headline").classList.toggle("few", !allRows.checked);
  allRows.addEventListener("change", toggle);
  toggle();
}
