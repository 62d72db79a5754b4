// A page that lures somebody into clicking twice in one place could open this
// page under the second click, or close a window that lay over it. So the button
// sleeps for a moment whenever the page comes into view or to the front.
const allow = document.getElementById("allow");

let waking;

function sleep() {
  allow.disabled = true;
  clearTimeout(waking);
  waking = setTimeout(() => { allow.disabled = false; }, 600);
}

if (allow) {
  sleep();
  addEventListener("pageshow", (event) => { if (event.persisted) sleep(); });
  addEventListener("focus", sleep);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) sleep(); });
}
