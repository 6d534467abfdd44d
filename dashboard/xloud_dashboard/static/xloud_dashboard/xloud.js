/* Live Resize: sizes of the servers that a list shows; sliders, progress and history of a server.
   All requests go to the dashboard, which asks the Compute API with the user's token. */
(function () {
  "use strict";

  /* How many servers are asked for at once; the dashboard answers no more. */
  const SIZES = 20;
  /* Milliseconds between two looks at an adjust: at first, and at most. */
  const INTERVAL = 700;
  const LONGEST = 10000;
  const say = window.gettext || ((text) => text);
  /* Each "%s" of a text replaced by the next value. */
  const fill = (text, ...values) => text.replace(/%s/g, () => values.shift());

  /* Resolves when somebody can see the page. */
  function visible() {
    return new Promise((done) => {
      const look = () => {
        if (!document.hidden) {
          document.removeEventListener("visibilitychange", look);
          done();
        }
      };
      document.addEventListener("visibilitychange", look);
      look();
    });
  }

  /* The answer of the dashboard: {ok, status, told}. `status` is 0 if there is no answer.
     `told.refused`: the same request will never succeed. `told.unchanged`: nothing has changed. */
  async function ask(address, options) {
    let answer;
    try {
      answer = await fetch(address, {
        credentials: "same-origin",
        cache: "no-store",
        ...options,
        headers: { "X-Requested-With": "XMLHttpRequest", ...(options || {}).headers },
      });
    } catch (error) {
      return { ok: false, status: 0, told: { message: say("The dashboard does not answer.") } };
    }
    if (answer.status === 401 || answer.redirected) {
      const message = say("Your session has ended. Reload the page to sign in again.");
      return { ok: false, status: 401, told: { message, refused: true, unchanged: true } };
    }
    const text = await answer.text();
    let told = { text };
    try {
      told = { text, ...JSON.parse(text) };
    } catch (error) { /* a table, or an error page */ }
    if (!answer.ok && !told.message) {
      told.message = fill(say("The dashboard answered with the code %s."), answer.status);
      /* an error page of Django itself, which has sent nothing to the Compute API */
      told.refused = told.unchanged = answer.status === 403 || answer.status === 404;
    }
    return { ok: answer.ok, status: answer.status, told };
  }

  /* lists ------------------------------------------------------------------------------------ */

  function showSizes(list) {
    const due = [];
    let busy = false;

    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          seen.unobserve(entry.target);
          due.push(entry.target);
        }
      }
      work();
    }, { rootMargin: "200px" });
    list.querySelectorAll("tr[data-ask]").forEach((row) => seen.observe(row));

    async function work() {
      if (busy || !due.length) {
        return;
      }
      busy = true;
      const rows = due.splice(0, SIZES);
      const query = rows.map((row) => "id=" + row.dataset.server).join("&");
      const answer = await ask(list.dataset.sizes + "?" + query);
      rows.forEach((row) => {
        const size = answer.ok ? answer.told[row.dataset.server] : answer.told;
        showSize(row, size || { message: say("not told") });
      });
      list.querySelectorAll(".xloud-host").forEach(showTotals);
      busy = false;
      work();
    }
  }

  function showSize(row, size) {
    row.dataset.loaded = "1";
    row.querySelectorAll(".xloud-size").forEach((cell) => {
      const current = size["current_" + cell.dataset.resource];
      const now = cell.querySelector(".xloud-now");
      if (current === undefined) {
        now.textContent = "?";
        cell.title = size.message;
        return;
      }
      now.textContent = current;
      cell.dataset.current = current;
      cell.querySelector(".xloud-bar > span").style.width = 100 * current / cell.dataset.maximum + "%";
    });
  }

  /* The sum of a host is shown when each of its servers has told its size. */
  function showTotals(host) {
    host.querySelectorAll("[data-total]").forEach((total) => {
      const cells = [...host.querySelectorAll(`.xloud-size[data-resource="${total.dataset.total}"]`)];
      if (cells.length && cells.every((cell) => cell.dataset.current !== undefined)) {
        total.textContent = cells.reduce((sum, cell) => sum + Number(cell.dataset.current), 0);
      }
    });
  }

  /* a server --------------------------------------------------------------------------------- */

  class Resource {
    constructor(part, changed) {
      const data = part.dataset;
      Object.assign(this, { part, name: data.resource, label: data.label, unit: data.unit });
      this.floor = Number(data.floor);
      this.maximum = Number(data.maximum);
      this.slider = part.querySelector("input[type=range]");
      this.number = part.querySelector("input[type=number]");
      this.changed = changed;
      this.has(Number(data.current));
      if (this.number) {
        this.slider.addEventListener("input", () => this.choose(Number(this.slider.value)));
        this.number.addEventListener("input", () => this.choose(this.wish, true));
      }
    }

    /* What the user has chosen; NaN if the field is empty. */
    get wish() {
      return this.number ? this.number.valueAsNumber : this.current;
    }

    get isChanged() {
      return this.wish !== this.current;
    }

    get isValid() {
      return !this.number || this.number.checkValidity();
    }

    /* The server has so much now. */
    has(current) {
      this.current = current;
      this.part.querySelector(".xloud-current").textContent = current;
      this.draw();
    }

    choose(value, typed) {
      if (!typed) {
        this.number.value = value;
      } else if (!Number.isNaN(value)) {
        this.slider.value = value;
      }
      this.draw();
      this.changed();
    }

    reset() {
      if (this.number) {
        this.choose(this.current);
        this.slider.value = this.current;
      }
    }

    lock(locked) {
      if (this.number) {
        this.slider.disabled = this.number.disabled = locked;
      }
    }

    draw() {
      const share = (value) => 100 * value / this.maximum;
      const wish = this.isValid && !Number.isNaN(this.wish) ? this.wish : this.current;
      const [low, high] = [Math.min(wish, this.current), Math.max(wish, this.current)];
      const held = this.part.querySelector(".xloud-held");
      const bar = this.part.querySelector(".xloud-wish");
      held.style.width = share(low) + "%";
      bar.style.left = share(low) + "%";
      bar.style.width = share(high) - share(low) + "%";
      bar.classList.toggle("xloud-less", wish < this.current);
      const mark = this.part.querySelector(".xloud-mark");
      mark.style.left = share(this.floor) + "%";
      mark.hidden = this.floor >= this.maximum;
    }

    /* A figure with its unit; of vCPUs, beside their label, the figure alone. */
    words(value, labelled) {
      return [value, this.unit || (labelled ? "" : this.label)].join(" ").trim();
    }
  }

  class Page {
    constructor(form) {
      this.form = form;
      this.data = form.dataset;
      this.by = (id) => document.getElementById("xloud-" + id);
      this.running = false;
      const parts = [...form.querySelectorAll(".xloud-resource")];
      this.resources = parts.map((part) => new Resource(part, () => this.refresh()));
      if (this.by("ask")) {
        form.addEventListener("submit", (event) => {
          event.preventDefault();
          this.confirm();
        });
        this.by("reset").addEventListener("click", () => this.resources.forEach((each) => each.reset()));
        this.by("no").addEventListener("click", () => this.refresh());
        this.by("yes").addEventListener("click", () => this.adjust());
      }
      this.history(true);
    }

    get changes() {
      return this.resources.filter((each) => each.isChanged);
    }

    /* After each choice: what was to be confirmed is another wish now. */
    refresh() {
      if (!this.by("ask")) {
        return;
      }
      const valid = this.resources.every((each) => each.isValid);
      this.by("confirm").hidden = true;
      this.by("ask").disabled = this.running || !this.changes.length || !valid;
      this.by("reset").disabled = this.running || !this.changes.length;
      this.by("persist").disabled = this.running;
      this.resources.forEach((each) => each.lock(this.running));
    }

    confirm() {
      const steps = this.changes.map((each) => fill(
        say("%s from %s to %s"), each.label, each.current, each.words(each.wish, true)
      ));
      const text = fill(say("Resize %s: %s?"), this.data.name, steps.join(", "));
      const keep = this.by("persist").checked
        ? say("The server keeps the size over a stop and start.")
        : say("Only the running guest changes: the next stop and start brings the size of before.");
      this.by("question").textContent = `${text} ${keep}`;
      this.by("confirm").hidden = false;
      this.by("yes").focus();
    }

    async adjust() {
      const wish = {};
      this.changes.forEach((each) => { wish["current_" + each.name] = each.wish; });
      wish.persist = this.by("persist").checked;
      this.running = true;
      this.refresh();
      this.tell("info", say("Asking for the new size."), "", "", true);
      const token = this.form.querySelector("[name=csrfmiddlewaretoken]").value;
      const answer = await ask(this.data.adjust, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify(wish),
      });
      if (answer.ok && answer.told.request_id) {
        await this.follow(answer.told.request_id);
        return;
      }
      this.running = false;
      this.refresh();
      let note = "";
      if (answer.ok) {
        this.lose(say("The Compute service told no id of the request."));
      } else if (answer.told.refused) {
        const title = { 403: say("Not allowed."), 409: say("Not now.") }[answer.status] || say("Refused.");
        this.tell("danger", title, answer.told.message,
          answer.told.unchanged ? say("Nothing has changed.") : "");
        note = fill(say("The answer to your request: %s"), answer.told.message);
      } else {
        this.tell("warning", say("No answer."), answer.told.message,
          say("Whether the adjust was accepted is not known: the history below tells."));
      }
      if (!answer.told.unchanged) {
        this.history(true, note);
      }
    }

    /* Look at an adjust until it has ended, however long that takes: the cloud does the work.
       `note` is shown with the progress and the end. */
    async follow(request, note = "") {
      const begun = Date.now();
      let missing = 0;
      this.running = true;
      this.refresh();
      this.tell("info", say("Adjusting."), "", note, true);
      for (;;) {
        await visible();
        const address = this.data.progress.replace(/req-0{8}[0-9a-f-]*/, request);
        const answer = await ask(`${address}?missing=${missing}`);
        if (answer.ok && answer.told.result) {
          this.end(answer.told, note);
          return;
        }
        if (answer.told.refused) {
          this.lose(answer.told.message);
          return;
        }
        if (answer.ok) {
          missing = answer.told.missing || 0;
        }
        const elapsed = Date.now() - begun;
        const silence = answer.ok ? "" : `${answer.told.message} ${say("The adjust goes on in the cloud.")}`;
        this.tell("info", say("Adjusting."), fill(say("%s s"), Math.round(elapsed / 1000)),
          [silence, note].join(" ").trim(), true);
        const pause = Math.min(LONGEST, Math.max(INTERVAL, elapsed / 10));
        await new Promise((done) => setTimeout(done, pause));
      }
    }

    /* Say why the page stops to look at an adjust. */
    lose(message) {
      this.running = false;
      this.refresh();
      this.tell("warning", say("The adjust cannot be followed."), message, say("It goes on in the cloud."));
    }

    end(told, note) {
      if (told.result === "Gone") {
        /* the form stays locked: there is no server to adjust */
        this.tell("warning", say("The server is gone."), told.details, note);
        return;
      }
      this.running = false;
      for (const each of this.resources) {
        each.has(told.size["current_" + each.name]);
        each.reset();
      }
      this.refresh();
      const guest = this.by("guest");
      const uses = told.size.guest_online_vcpus;
      guest.textContent = uses === null || uses === undefined
        ? guest.dataset.silent : fill(guest.dataset.uses, uses);
      const size = this.resources.map((each) => each.words(each.current)).join(say(" and "));
      const has = fill(say("The server has %s now."), size);
      if (told.result === "Success") {
        this.tell("success", say("Done."), told.details || has, note);
      } else if (told.result === "Unchanged") {
        this.tell("success", say("Nothing to do."), has, note);
      } else {
        this.tell("danger", say("The adjust failed."), told.details || say("No reason is told."),
          [has, note].join(" ").trim());
      }
      this.history(false);
    }

    tell(kind, title, text, effect, runs) {
      const box = this.by("progress");
      box.hidden = false;
      box.classList.toggle("xloud-runs", Boolean(runs));
      box.dataset.kind = runs ? "running" : kind;
      box.querySelector(".alert").className = "alert alert-" + kind;
      box.querySelector(".xloud-title").textContent = title;
      box.querySelector(".xloud-text").textContent = text;
      box.querySelector(".xloud-effect").textContent = effect || "";
    }

    /* Show the adjusts; `resume`: follow the one that is under way, `note` as of follow(). */
    async history(resume, note) {
      const answer = await ask(this.data.history);
      const place = this.by("history");
      if (!answer.ok) {
        place.textContent = answer.told.message;
        return;
      }
      place.innerHTML = answer.told.text;
      const running = place.querySelector("[data-running]");
      /* begun by somebody else, or before this page was loaded */
      if (resume && running && !this.running) {
        await this.follow(running.dataset.request, note);
      }
    }
  }

  document.querySelectorAll("[data-sizes]").forEach(showSizes);
  const form = document.getElementById("xloud-form");
  if (form) {
    new Page(form);
  }
}());
