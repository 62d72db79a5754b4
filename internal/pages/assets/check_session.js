// The frame of OpenID Connect Session Management: an application on another
// origin sends "client_id session_state", and learns whether the browser's session
// is still the one that the session_state was made for. Nothing is asked of the
// server, and nothing else is told.
(function () {
  "use strict";
  var name = document.currentScript.getAttribute("data-cookie");

  function browserState() {
    var pairs = document.cookie.split("; ");
    for (var i = 0; i < pairs.length; i++) {
      if (pairs[i].indexOf(name + "=") === 0) return pairs[i].slice(name.length + 1);
    }
    return "";
  }

  function base64url(buffer) {
    var text = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  // The answer is "error" also when the browser shows us no cookie: "changed" would
  // make the application ask again and again, or sign the person out.
  function judge(message, origin) {
    var parts = typeof message === "string" ? message.split(" ") : [];
    var state = browserState();
    var dot = parts.length === 2 ? parts[1].lastIndexOf(".") : -1;
    if (dot < 1 || !parts[0] || !state || !window.crypto || !crypto.subtle) return Promise.resolve("error");
    var salt = parts[1].slice(dot + 1);
    var text = parts[0] + " " + origin + " " + state + " " + salt;
    return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then(function (hash) {
      return base64url(hash) + "." + salt === parts[1] ? "unchanged" : "changed";
    });
  }

  addEventListener("message", function (event) {
    if (!event.source || event.source === window || !/^https?:/.test(event.origin)) return;
    judge(event.data, event.origin).then(function (answer) { event.source.postMessage(answer, event.origin); });
  });
})();
