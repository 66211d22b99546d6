// Says that the page has news, without touching what is being read. Everything works without it.
const live = document.getElementById("live");
const alarm = document.getElementById("alarm");
const PERIOD_MS = 20000;

function say(place, text, link) {
  const wanted = link ? `${text} ${link}` : text;
  if (place.textContent === wanted) return;
  place.replaceChildren(text);
  if (link) {
    const again = document.createElement("a");
    again.href = location.pathname;
    again.textContent = link;
    place.append(" ", again);
  }
}

function tell(before, after) {
  const words = live.dataset;
  const ids = new Set(before.map((mark) => mark.split(".")[0]));
  const fresh = after.filter((mark) => !before.includes(mark));
  const alarms = fresh.filter((mark) => mark.endsWith("!") && !ids.has(mark.split(".")[0]));
  if (alarms.length) say(alarm, words.critical, words.refresh);
  if (fresh.length === 1) say(live, words.one, words.refresh);
  else if (fresh.length) say(live, words.other.replace("{count}", fresh.length), words.refresh);
  else if (before.length !== after.length) say(live, words.changed, words.refresh);
  else say(live, "");
}

async function look() {
  const words = live.dataset;
  try {
    const answer = await fetch(location.pathname, {
      method: "HEAD",
      cache: "no-store",
      redirect: "manual",
      headers: { "If-None-Match": words.etag },
      signal: AbortSignal.timeout(10000),
    });
    if (answer.type === "opaqueredirect") say(live, words.over, words.login);
    else if (answer.status === 304) say(live, "");
    else if (answer.ok) tell(split(words.marks), split(answer.headers.get("Veille-Marks")));
    else say(live, words.offline);
  } catch {
    say(live, words.offline);
  }
}

function split(marks) {
  return (marks ?? "").split(" ").filter(Boolean);
}

if (live && alarm) {
  setInterval(() => document.hidden || look(), PERIOD_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look());
}
