// Both halves of a pair scroll together, cell by cell, and the twin of the chosen cell is marked.
//
// JupyterLab loads this file as it is: a "federated container" without a build step. `init` keeps
// the modules that JupyterLab shares, `get` gives the plugin.
(() => {
  "use strict";
  const PAIR = /^(?:.*\/)?(notebooks|exercises|solutions)\/(\d\d)_\w+_(pytorch|tensorflow)\.ipynb$/;
  const NAMES = { pytorch: "PyTorch", tensorflow: "TensorFlow" };
  const KINDS = { notebooks: "", exercises: "Ex ", solutions: "So " };

  // A module that JupyterLab shares.
  let shared;
  const load = async name => {
    const [version] = Object.values(shared[name]);
    return (await version.get())();
  };

  // Which notebook of the course a path is; null for any other.
  const parse = path => {
    const found = PAIR.exec(path);
    return found && { kind: found[1], number: found[2], half: found[3] };
  };

  const activate = async (app, tracker, registry) => {
    const { editIcon, linkIcon } = await load("@jupyterlab/ui-components");
    const settings = await registry.load("paired-view:plugin");
    const linked = () => settings.composite.linked;
    const style = document.head.appendChild(document.createElement("style")).sheet;
    style.insertRule(".jp-Notebook .jp-Cell.paired-twin { box-shadow: -4px 0 0 0 #E69F00; }");
    // In half a window a table with long names would be cut off: they break.
    style.insertRule(".jp-RenderedMarkdown td code { white-space: normal; overflow-wrap: anywhere; }");
    // A tab says in a few letters which half it is. A new label would rename the file, so the
    // label's text is only shown as another.
    const rename = (title, text) => {
      const label = `.lm-TabBar-tab[data-paired="${text}"] .lm-TabBar-tabLabel`;
      style.insertRule(`${label} { font-size: 0; }`);
      style.insertRule(
        `${label}::before { content: "${text}"; font-size: var(--jp-ui-font-size1); }`,
      );
      title.dataset = { ...title.dataset, paired: text };
    };

    const widgets = () => {
      const found = [];
      tracker.forEach(panel => found.push(panel));
      return found;
    };
    const twin = panel => {
      const own = parse(panel.context.path);
      const other = each => {
        const it = each !== panel && each.isVisible && parse(each.context.path);
        return it && it.kind === own.kind && it.number === own.number && it.half !== own.half;
      };
      return own && widgets().find(other);
    };

    // The cells that both halves have, by id. A cell of one half alone goes with the one before it.
    const counterpart = (cells, index, others) => {
      for (let at = index; at >= 0; at -= 1) {
        const there = others.find(cell => cell.model.id === cells[at].model.id);
        if (there) return { cell: there, same: at === index };
      }
      return null;
    };

    // The half that the person touched last leads; so no scrolling comes back as an echo.
    let leader = null;
    const lead = event => {
      const inside = widgets().find(panel => panel.node.contains(event.target));
      leader = inside || tracker.currentWidget; // the outline, a menu: they act on that one
    };
    for (const kind of ["wheel", "pointerdown", "keydown", "touchstart"]) {
      document.addEventListener(kind, lead, { capture: true, passive: true });
    }

    const follow = panel => {
      const other = panel === leader && linked() && twin(panel);
      if (!other) return;
      const [from, to] = [panel.content.outerNode, other.content.outerNode];
      const top = from.getBoundingClientRect().top;
      const cells = panel.content.widgets;
      const shown = cells.findIndex(cell => cell.node.getBoundingClientRect().bottom > top + 1);
      const found = shown >= 0 && counterpart(cells, shown, other.content.widgets);
      if (!found) return;
      const own = cells[shown].node.getBoundingClientRect();
      const there = found.cell.node.getBoundingClientRect();
      // The share of the cell that is scrolled off; above the first cell it is negative, and small.
      const share = found.same ? (top - own.top) / own.height : 1;
      to.scrollTop += there.top + share * there.height - to.getBoundingClientRect().top;
    };

    const mark = panel => {
      for (const each of widgets()) {
        each.content.widgets.forEach(cell => cell.node.classList.remove("paired-twin"));
      }
      const other = linked() && panel && twin(panel);
      if (!other || panel.content.activeCellIndex < 0) return;
      const { widgets: cells, activeCellIndex } = panel.content;
      const found = counterpart(cells, activeCellIndex, other.content.widgets);
      if (found) found.cell.node.classList.add("paired-twin");
    };

    const watch = panel => {
      const own = parse(panel.context.path);
      if (!own) return;
      rename(panel.title, `${KINDS[own.kind]}${own.number} ${NAMES[own.half]}`);
      let waiting = false;
      const soon = () => {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
          waiting = false;
          if (!panel.isDisposed) follow(panel);
        });
      };
      panel.content.outerNode.addEventListener("scroll", soon, { passive: true });
      new ResizeObserver(soon).observe(panel.content.outerNode);
      panel.content.activeCellChanged.connect(() => {
        if (panel === tracker.currentWidget) mark(panel);
      });
      panel.context.ready.then(() => quiet(panel.content.model));
    };

    // When a kernel starts, JupyterLab writes its language into the notebook. That is no change of
    // the reader's: a notebook that was only opened stays unmarked.
    const quiet = model => {
      model.metadataChanged.connect((_, change) => {
        if (change.key === "language_info" && !model.dirty) {
          Promise.resolve().then(() => {
            model.dirty = false;
          });
        }
      });
    };

    widgets().forEach(watch);
    tracker.widgetAdded.connect((_, panel) => watch(panel));
    tracker.currentChanged.connect((_, panel) => mark(panel));

    const current = () => tracker.currentWidget && parse(tracker.currentWidget.context.path);
    app.commands.addCommand("paired-view:link", {
      label: args => (args.toolbar ? "" : "Scroll both halves together"),
      icon: args => (args.toolbar ? linkIcon : undefined),
      caption: "Scroll both halves together (Alt L)",
      isEnabled: () => Boolean(current()),
      isToggled: linked,
      isToggleable: true,
      execute: () => settings.set("linked", !linked()),
    });
    app.commands.addCommand("paired-view:exercise", {
      label: args => (args.toolbar ? "" : "Lesson ⇄ exercise"),
      icon: args => (args.toolbar ? editIcon : undefined),
      caption: "Open the exercise on the side of its lesson, or the lesson (Alt E)",
      isEnabled: () => Boolean(current()),
      execute: () => {
        const panel = leader || tracker.currentWidget; // whose button it is
        const own = parse(panel.context.path);
        const kind = own.kind === "notebooks" ? "exercises" : "notebooks";
        const path = panel.context.path.replace(own.kind, kind);
        const options = { mode: "tab-after", ref: panel.id };
        return app.commands.execute("docmanager:open", { path, options });
      },
    });
    settings.changed.connect(() => {
      app.commands.notifyCommandChanged("paired-view:link");
      mark(tracker.currentWidget);
      if (leader) follow(leader);
    });
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["paired-view"] = {
    init: scope => {
      shared = scope;
    },
    get: async () => {
      const { INotebookTracker } = await load("@jupyterlab/notebook");
      const { ISettingRegistry } = await load("@jupyterlab/settingregistry");
      const requires = [INotebookTracker, ISettingRegistry];
      const plugin = { id: "paired-view:plugin", autoStart: true, requires, activate };
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
