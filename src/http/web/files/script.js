// What makes the pages nicer; each works without it.
(() => {
  'use strict';
  const AT_MOST_MS = 60_000;
  let timer = 0;
  let wait_ms = 0;
  // As the server wrote it, before a button of it was touched.
  let served = document.getElementById('live')?.innerHTML;

  const news = (text) => {
    const place = document.getElementById('news');
    if (place) place.textContent = text;
  };

  // Buttons that copy the text of an element. Where the browser has no clipboard the text is selected instead.
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
    } catch {
      getSelection().selectAllChildren(source);
      if (!document.execCommand('copy')) return;
    }
    button.textContent = button.dataset.done;
    news(button.dataset.done);
  }

  function show_buttons() {
    for (const button of document.querySelectorAll('button[data-copy][hidden]')) {
      button.hidden = false;
      button.addEventListener('click', () => copy(button));
    }
  }

  // A page that waits fetches its own address anew and takes over what changed, where the reader's eyes rest.
  function take(page) {
    const [old, fresh] = [document, page].map((d) => d.getElementById('live'));
    if (fresh && fresh.innerHTML !== served) {
      served = fresh.innerHTML;
      old.replaceChildren(...fresh.childNodes);
      document.title = page.title;
      news(old.querySelector('h1')?.textContent ?? '');
      show_buttons();
    }
    const [shown, next] = [document, page].map((d) => d.querySelector('.refresh'));
    if (!next) return shown.remove();
    shown.dataset.afterS = next.dataset.afterS;
    shown.querySelector('a').href = next.querySelector('a').getAttribute('href');
  }

  async function look() {
    const link = document.querySelector('.refresh a');
    if (!link) return;
    if (document.hidden) {
      document.addEventListener('visibilitychange', look, { once: true });
      return;
    }
    try {
      const answer = await fetch(link.href, { cache: 'no-store', redirect: 'error' });
      if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
      take(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      wait_ms = 0;
    } catch {
      // The network or the server: what is shown stays, and the next look comes later.
      wait_ms = Math.min(AT_MOST_MS, 2 * wait_ms);
    }
    plan();
  }

  function plan() {
    const refresh = document.querySelector('.refresh[data-after-s]');
    if (!refresh) return;
    clearTimeout(timer);
    wait_ms ||= 1000 * Number(refresh.dataset.afterS);
    timer = setTimeout(look, wait_ms);
  }

  show_buttons();
  plan();
})();
