// A page that lures somebody into clicking twice in one place could open this
// page under the second click. So the button is deaf at first.
const allow = document.getElementById("allow");
let since = performance.now();
document.addEventListener("visibilitychange", () => { since = performance.now(); });
allow?.addEventListener("click", (event) => {
  if (performance.now() - since < 600) event.preventDefault();
});
