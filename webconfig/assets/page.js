"use strict";
// Keeps the part of a page that changes by itself as it is now. What comes is HTML of this program, in
// which everything that came from elsewhere is text already; elements are changed and not replaced, so
// that what somebody has marked or is about to press stays.

const live = document.getElementById("live");
const lost = document.getElementById("lost");

// Moments in the reader's own words and time zone.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.getAttribute("datetime"));
    if (Number.isNaN(at.getTime())) continue;
    const style = { dateStyle: "medium" };
    if (!time.hasAttribute("data-day")) style.timeStyle = "medium";
    const text = at.toLocaleString(undefined, style);
    if (time.textContent !== text) time.textContent = text;
  }
}

// Makes `now` like `then`, child by child. Both begin with the same: a page has its part without white
// space before it, which what comes does not have either.
function become(now, then) {
  if (now.nodeType !== then.nodeType || now.nodeName !== then.nodeName) {
    now.replaceWith(then.cloneNode(true));
    return;
  }
  if (now.nodeType === Node.TEXT_NODE) {
    if (now.data !== then.data) now.data = then.data;
    return;
  }
  if (now.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...now.attributes]) {
    if (!then.hasAttribute(name)) now.removeAttribute(name);
  }
  for (const { name, value } of then.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  const [before, after] = [[...now.childNodes], [...then.childNodes]];
  before.slice(after.length).forEach((child) => child.remove());
  after.forEach((child, place) => {
    if (place < before.length) become(before[place], child);
    else now.append(child.cloneNode(true));
  });
}

function show(html) {
  const then = document.createElement("div");
  const parsed = new DOMParser().parseFromString(html, "text/html");
  then.append(...parsed.body.childNodes);
  localTimes(then);
  for (const { name, value } of live.attributes) then.setAttribute(name, value);
  become(live, then);
}

function listen() {
  let heard = new Date();
  const events = new EventSource(live.dataset.events);
  events.onopen = () => {
    lost.hidden = true;
    live.classList.remove("stale");
  };
  events.onmessage = (event) => {
    heard = new Date();
    show(event.data);
  };
  events.onerror = () => {
    // It tries again by itself, unless it was refused: then the page asks for the sign-in.
    if (events.readyState === EventSource.CLOSED) location.reload();
    lost.textContent = `pgseal-webconfig does not answer. What is shown is of ${heard.toLocaleTimeString()}.`;
    lost.hidden = false;
    live.classList.add("stale");
  };
}

localTimes(document);
if (live) listen();
