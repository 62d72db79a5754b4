// A page that lures somebody into clicking twice in one place could open this
// page under the second click. So the button sleeps for a moment whenever the
// page comes into view.
const allow = document.getElementById("allow");

function sleep() {
  allow.disabled = true;
  setTimeout(() => { allow.disabled = false; }, 600);
}

if (allow) {
  sleep();
  addEventListener("pageshow", (event) => { if (event.persisted) sleep(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) sleep(); });
}
