
// Optional: the page is complete without it. Plays the videos of a clip, or of a kind of attention, together while they are on screen.
(() => {
  const rows = [...document.querySelectorAll(".plays")];
  const button = document.getElementById("play");
  if (!rows.length || !button) return;
  const videos = (row) => [...row.querySelectorAll("video")];
  const visible = new Set();
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;

  const start = (row) => videos(row).forEach((video) => {
    video.currentTime = 0;
    video.play().catch(() => {});
  });
  const stop = (row) => videos(row).forEach((video) => video.pause());
  const show = () => {
    button.textContent = playing ? "Pause all videos" : "Play all videos";
    button.setAttribute("aria-pressed", String(playing));
  };

  const observer = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting) visible.add(entry.target); else visible.delete(entry.target);
    if (playing && entry.isIntersecting) start(entry.target); else stop(entry.target);
  }), { threshold: 0.2 });
  rows.forEach((row) => observer.observe(row));

  button.hidden = false;
  button.addEventListener("click", () => {
    playing = !playing;
    visible.forEach(playing ? start : stop);
    show();
  });
  show();
})();
