"use strict";
(function () {
  var page = Number(document.body.dataset.page);
  var pages = Number(document.body.dataset.pages);
  var total = Number(document.body.dataset.total);
  var form = document.getElementById("filters");
  var search = document.getElementById("search");
  var rule = document.getElementById("rule");
  var boxes = Array.from(form.querySelectorAll('input[name="severity"]'));
  var cards = Array.from(document.querySelectorAll("article.card"));
  var index = window.mediamirrorSets || [];

  function wanted() {
    return {
      words: search.value.toLowerCase().split(/\s+/).filter(Boolean),
      rule: rule.value,
      severities: boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; })
    };
  }

  function fits(query, severities, rules, words) {
    severities = severities.split(" ");
    return query.words.every(function (word) { return words.includes(word); }) &&
      (!query.rule || rules.split(" ").includes(query.rule)) &&
      (!query.severities.length || query.severities.some(function (one) { return severities.includes(one); }));
  }

  function address(query) {
    var told = new URLSearchParams();
    if (query.words.length) told.set("q", search.value);
    if (query.rule) told.set("rule", query.rule);
    if (query.severities.length) told.set("show", query.severities.join("."));
    return told.size ? "?" + told : "";
  }

  function pageName(number) {
    return number === 1 ? "index.html" : "sets-" + String(number).padStart(3, "0") + ".html";
  }

  function count(number, word) {
    return number.toLocaleString("en") + " " + word + (number === 1 ? "" : "s");
  }

  function showPage(query) {
    var shown = 0;
    cards.forEach(function (card) {
      card.hidden = !fits(query, card.dataset.severities, card.dataset.rules, card.dataset.words);
      shown += card.hidden ? 0 : 1;
    });
    document.querySelectorAll("section.document").forEach(function (section) {
      section.hidden = !section.querySelector("article.card:not([hidden])");
    });
    document.getElementById("none").hidden = shown > 0 || !cards.length;
    return shown;
  }

  function showElsewhere(query, search) {
    var box = document.getElementById("elsewhere"), all = 0, links = [];
    index.forEach(function (sets, at) {
      var here = sets.filter(function (set) { return fits(query, set[0], set[1], set[2]); }).length;
      all += here;
      if (here && at + 1 !== page) links.push([at + 1, here]);
    });
    box.hidden = !search || !links.length;
    box.textContent = box.hidden ? "" : "On other pages:";
    links.slice(0, 20).forEach(function (pair) {
      var link = document.createElement("a");
      link.href = pageName(pair[0]) + search;
      link.textContent = "page " + pair[0] + " (" + pair[1] + ")";
      box.append(link);
    });
    if (links.length > 20 && !box.hidden) box.append(" and " + count(links.length - 20, "more page"));
    return all;
  }

  function apply() {
    var query = wanted(), told = address(query);
    var here = showPage(query);
    var all = pages > 1 && index.length ? showElsewhere(query, told) : here;
    document.getElementById("shown").textContent = told
      ? all.toLocaleString("en") + " of " + count(total, "image") + (pages > 1 ? ", " + here + " on this page" : "")
      : count(total, "image") + (pages > 1 ? ", " + here + " on this page" : "");
    document.getElementById("clear").hidden = !told;
    document.querySelectorAll(".pager a").forEach(function (link) { link.search = told; });
    try { history.replaceState(null, "", location.pathname + told + location.hash); } catch (error) { /* not from disk */ }
  }

  function restore() {
    var told = new URLSearchParams(location.search);
    var shown = (told.get("show") || "").split(".");
    search.value = told.get("q") || "";
    rule.value = told.get("rule") || "";
    if (rule.selectedIndex < 0) rule.value = "";
    boxes.forEach(function (box) { box.checked = shown.includes(box.value); });
  }

  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("reset", function (event) {
    event.preventDefault();
    search.value = "";
    rule.value = "";
    boxes.forEach(function (box) { box.checked = false; });
    apply();
    search.focus();
  });
  document.querySelectorAll("button.pick").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      rule.value = button.dataset.rule;
      apply();
      document.getElementById("sets").scrollIntoView();
      rule.focus({ preventScroll: true });
    });
  });
  document.addEventListener("keydown", function (event) {
    var typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });

  var theme = document.getElementById("theme"), root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function dark() { return root.dataset.theme ? root.dataset.theme === "dark" : system.matches; }
  function label() { theme.textContent = dark() ? "Light" : "Dark"; theme.setAttribute("aria-label", theme.textContent + " colours"); }
  try { var kept = localStorage.getItem("mediamirror-theme"); if (kept === "dark" || kept === "light") root.dataset.theme = kept; } catch (error) { /* no storage */ }
  theme.addEventListener("click", function () {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("mediamirror-theme", root.dataset.theme); } catch (error) { /* no storage */ }
    label();
  });
  system.addEventListener("change", label);

  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () { closed.forEach(function (one) { one.open = false; }); });

  theme.hidden = false;
  form.hidden = false;
  label();
  restore();
  apply();
})();
