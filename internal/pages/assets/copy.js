// Copy buttons are hidden until this runs; without it the value can be selected.
const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.body.append(status);

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
    } catch {
      source.select?.();
      return;
    }
    const before = label.data;
    label.data = status.textContent = "Copied";
    setTimeout(() => { label.data = before; status.textContent = ""; }, 2000);
  });
}
