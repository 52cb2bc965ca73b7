"use strict";
/* Buttons that copy what stands beside them; a page from the disk may not use the clipboard everywhere. */
(() => {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copies);
      const words = button.textContent;
      let said = "copied";
      try {
        await navigator.clipboard.writeText(from.textContent);
      } catch {
        const range = document.createRange();
        range.selectNodeContents(from);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        said = document.execCommand("copy") ? "copied" : "selected, press Ctrl+C";
      }
      button.textContent = said;
      setTimeout(() => { button.textContent = words; }, 1600);
    });
  }
})();
