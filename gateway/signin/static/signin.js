// What makes the pages easier, and what none of them needs: every page works without it.
"use strict";

// The password, shown and hidden again
for (const button of document.querySelectorAll("button.reveal")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  const show = visible => {
    field.type = visible ? "text" : "password";
    button.setAttribute("aria-pressed", String(visible));
  };
  button.hidden = false;
  button.addEventListener("click", () => show(field.type === "password"));
  field.form.addEventListener("submit", () => show(false)); // browsers would remember it as a text
}

// Caps Lock, which nobody sees in dots
for (const note of document.querySelectorAll(".caps")) {
  const look = event => {
    if (!event.getModifierState || !event.target.matches(".secret input")) return;
    const text = event.getModifierState("CapsLock") ? note.dataset.text : "";
    if (note.textContent !== text) note.textContent = text;
  };
  document.addEventListener("keydown", look);
  document.addEventListener("keyup", look);
}

// Two new passwords that differ: said without asking the server, and only the second is typed again
const again = document.getElementById("again");
if (again) {
  const note = document.createElement("p");
  note.className = "wrong";
  note.id = "differ";
  note.setAttribute("role", "alert");
  again.closest(".secret").after(note);
  again.form.addEventListener("submit", event => {
    if (again.value === document.getElementById("new_password").value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    note.textContent = again.form.dataset.differ;
    again.setAttribute("aria-invalid", "true");
    again.setAttribute("aria-describedby", note.id);
    again.value = "";
    again.focus();
  });
}

// A form is sent once, however often somebody presses the button; again when the page comes back, or nothing comes for long
for (const form of document.querySelectorAll("form")) {
  let sent = false;
  const settle = () => {
    sent = false;
    form.removeAttribute("aria-busy");
  };
  form.addEventListener("submit", event => {
    if (sent) event.preventDefault();
    sent = true;
    form.setAttribute("aria-busy", "true");
    setTimeout(settle, 20000);
  });
  window.addEventListener("pageshow", event => event.persisted && settle());
}

// Times as the clock on the wall shows them
const page = document.documentElement.lang;
const tongue = navigator.languages.find(tag => tag.split("-")[0] === page) || page; // British dates for Britons
const local = new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time")) {
  time.title = time.textContent;
  time.textContent = local.format(new Date(time.dateTime));
}

// A form that is for an application: sent without a press of the button, once; Back shows the button
for (const form of document.querySelectorAll("form.sends-itself")) {
  const [navigation] = performance.getEntriesByType("navigation");
  if (!navigation || navigation.type !== "back_forward") form.requestSubmit();
}

// A link that is followed if the page is still there after so many seconds: whoever the browser was sent to does not answer
for (const link of document.querySelectorAll("a[data-wait]")) {
  setTimeout(() => location.assign(link.href), 1000 * Number(link.dataset.wait));
}
