"use strict";

// Two videos with one set of controls. The first leads; the second follows and is set right when it drifts.
const MAX_DRIFT_S = 0.04;
// a jump takes a moment to settle: correcting sooner would correct its own effect
const CORRECT_EVERY_MS = 200;

class Players {
  constructor(root) {
    this.root = root;
    this.all = [...root.querySelectorAll("video")];
    this.active = [];
    this.fps = 25;
    this.frames = 1;
    this.corrected = 0;
    this.wanted = false;
    const part = (id) => root.querySelector(`#${id}`);
    this.button = part("play");
    this.slider = part("seek");
    this.counter = part("frame");
    this.speed = part("speed");
    this.loop = part("loop");
    this.button.addEventListener("click", () => this.toggle());
    part("back").addEventListener("click", () => this.step(-1));
    part("forward").addEventListener("click", () => this.step(1));
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.speed.addEventListener("change", () => this.setSpeed());
    root.addEventListener("keydown", (event) => this.press(event));
    for (const video of this.all) {
      video.addEventListener("loadedmetadata", () => video === this.lead && this.count());
      video.addEventListener("ended", () => video === this.lead && this.end());
      video.addEventListener("timeupdate", () => this.update());
      video.addEventListener("seeked", () => this.update());
    }
  }

  get lead() {
    return this.active[0];
  }

  get playing() {
    return Boolean(this.lead) && !this.lead.paused;
  }

  get frame() {
    const time = this.lead ? this.lead.currentTime : 0;
    return Math.min(this.frames - 1, Math.floor(time * this.fps + 0.001));
  }

  // videos: list of {title, src}, up to two
  load(videos, fps) {
    this.pause();
    this.fps = fps;
    this.active = this.all.slice(0, videos.length);
    this.all.forEach((video, i) => {
      const figure = video.closest("figure");
      figure.hidden = i >= videos.length;
      figure.querySelector("figcaption").textContent = i < videos.length ? videos[i].title : "";
      if (i < videos.length) {
        video.src = videos[i].src;
        video.setAttribute("aria-label", videos[i].title);
      } else {
        video.removeAttribute("src");
      }
      video.load();
    });
    this.root.hidden = !videos.length;
    this.setSpeed();
    this.update();
  }

  count() {
    this.frames = Math.max(1, Math.round(this.lead.duration * this.fps));
    this.slider.max = this.frames - 1;
    this.update();
  }

  async play() {
    if (!this.lead) return;
    const from = this.frame >= this.frames - 1 ? 0 : this.lead.currentTime;
    this.wanted = true;
    this.label(true);
    try {
      await Promise.all(this.active.map((video) => this.ready(video, from)));
      // pause may have been pressed, or another video chosen, before both could start
      if (!this.wanted) return;
      await Promise.all(this.active.map((video) => video.play()));
      this.watch();
    } catch (error) {
      if (error.name !== "AbortError") this.fail();
    } finally {
      this.label(this.playing);
    }
  }

  fail() {
    this.pause();
    this.counter.textContent = "cannot be played";
  }

  pause() {
    this.wanted = false;
    this.active.forEach((video) => video.pause());
    this.label(false);
  }

  toggle() {
    if (this.wanted) {
      this.pause();
      this.align();
    } else {
      this.play();
    }
  }

  step(count) {
    this.pause();
    this.show(this.frame + count);
  }

  show(frame) {
    const wanted = Math.max(0, Math.min(this.frames - 1, frame));
    // the middle of a frame: its edge may be rounded into the frame before
    this.active.forEach((video) => {
      video.currentTime = (wanted + 0.5) / this.fps;
    });
    this.slider.value = wanted;
    this.write(wanted);
  }

  align() {
    for (const video of this.active.slice(1)) {
      if (video.currentTime !== this.lead.currentTime) video.currentTime = this.lead.currentTime;
    }
  }

  // resolves when the video has its picture at this time and can go on from there
  ready(video, time) {
    return new Promise((resolve) => {
      const check = () => {
        if (video.readyState < 3 || video.seeking) return;
        for (const name of ["canplay", "seeked", "error"]) video.removeEventListener(name, check);
        resolve();
      };
      for (const name of ["canplay", "seeked"]) video.addEventListener(name, check);
      video.addEventListener("error", check);
      if (Math.abs(video.currentTime - time) > 0.001) video.currentTime = time;
      check();
    });
  }

  watch() {
    if (!this.playing) return;
    this.correct(performance.now());
    this.update();
    requestAnimationFrame(() => this.watch());
  }

  correct(now) {
    if (now - this.corrected < CORRECT_EVERY_MS) return;
    for (const video of this.active.slice(1)) {
      if (!video.seeking && Math.abs(video.currentTime - this.lead.currentTime) > MAX_DRIFT_S) {
        video.currentTime = this.lead.currentTime;
        this.corrected = now;
      }
    }
  }

  end() {
    // stepping to the last frame ends a video, too
    if (!this.wanted) return;
    this.pause();
    if (this.loop.checked) this.play();
  }

  setSpeed() {
    this.active.forEach((video) => {
      video.playbackRate = Number(this.speed.value);
    });
  }

  press(event) {
    if (event.target !== this.root) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key === " ") this.toggle();
    else if (event.key in steps) this.step(steps[event.key]);
    else return;
    event.preventDefault();
  }

  update() {
    if (this.lead && !this.lead.seeking) {
      this.slider.value = this.frame;
      this.write(this.frame);
    }
  }

  write(frame) {
    this.counter.textContent = `frame ${frame} of ${this.frames}`;
  }

  label(playing) {
    this.button.textContent = playing ? "Pause" : "Play";
  }
}
