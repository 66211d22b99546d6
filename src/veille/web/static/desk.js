// What people do together: who is here, what is chosen, and the seconds of an undo. Pages are right
// without it, as of their load.
const BEAT_MS = 20000;
const PAUSE_MS = 30000;
let wroteAt = -PAUSE_MS;

const here = () => document.getElementById("presence");
const isWriting = () => performance.now() - wroteAt < PAUSE_MS;

function tell(place, values, options = {}) {
  return fetch(place.dataset.beat, {
    method: "POST",
    body: new URLSearchParams({ csrf: place.dataset.csrf, ...values }),
    headers: { "Veille-Live": "1" },
    redirect: "manual",
    ...options,
  });
}

async function beat() {
  const place = here();
  if (!place || document.hidden) return;
  try {
    const values = isWriting() ? { writing: "1" } : {};
    const answer = await tell(place, values, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) return;
    const said = await answer.text();
    if (place.textContent !== said) place.textContent = said;
  } catch {
    // offline: the live stream says so
  }
}

if (here()) {
  beat();
  setInterval(beat, BEAT_MS);
  document.addEventListener("visibilitychange", beat);
  document.addEventListener("veille:presence", beat);
  document.addEventListener("veille:open", beat); // who came before the stream was heard
  document.addEventListener("input", (event) => {
    if (!event.target.closest("textarea")) return;
    const isFirst = !isWriting();
    wroteAt = performance.now();
    if (isFirst) beat();
  });
  addEventListener("pagehide", () => tell(here(), { left: "1" }, { keepalive: true }).catch(() => {}));
}

const boxes = () => [...document.querySelectorAll("#bulk input[name=item]")];

function count() {
  const said = document.getElementById("picked");
  if (!said) return;
  const bar = said.closest(".bulkbar");
  const number = boxes().filter((box) => box.checked).length;
  said.dataset.none ??= said.textContent;
  const text = number === 1 ? bar.dataset.one : bar.dataset.other;
  const wanted = number ? text.replace("{count}", number) : said.dataset.none;
  if (said.textContent !== wanted) said.textContent = wanted;
  bar.classList.toggle("some", number > 0);
}

// "Back" leads to the list as it was read, not to a new one.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".queue a.row, a[rel=next]");
  const page = document.getElementById("live")?.dataset;
  if (!link || !page?.fresh) return;
  const row = link.id ? `#${link.id}` : "";
  history.replaceState(history.state, "", page.page + row);
});

document.addEventListener("change", (event) => event.target.closest("#bulk") && count());
document.addEventListener("click", (event) => {
  if (!event.target.closest("#pick-all")) return;
  event.preventDefault();
  const wanted = boxes().some((box) => !box.checked);
  for (const box of boxes()) box.checked = wanted;
  count();
});
addEventListener("pageshow", count); // the browser brings back what was ticked

function arm(offer) {
  if (offer.dataset.armed) return;
  offer.dataset.armed = "1";
  const end = performance.now() + Number(offer.dataset.undo) * 1000;
  const left = offer.querySelector(".seconds");
  const tick = () => {
    const seconds = Math.ceil((end - performance.now()) / 1000);
    left.textContent = seconds > 0 ? `(${seconds} s)` : "";
    if (seconds > 0) setTimeout(tick, 1000);
    // one that has the focus stays: pressing it says that it is too late
    else if (!offer.contains(document.activeElement)) offer.remove();
  };
  tick();
}

function armAll() {
  for (const offer of document.querySelectorAll("form[data-undo]")) arm(offer);
}

armAll();
document.addEventListener("htmx:afterSettle", armAll);
