/* Tables sort. A column's head becomes a button, by mouse or keyboard; a third press restores the first order.
   In a table of class `best-high` or `best-low`, the best number of each column is marked (class `best`). */
(() => {
  const NONE = ["", "–", "—", "-", "nan", "none"];

  /* The number that a cell begins with, such as +1.2, −3 %, 1,024 or 51.3 (48.0 to 54.1), not 1, F1; null if there is none. */
  function number(text) {
    const plain = text.trim().replace(/[\u2212\u2013](?=[\d.])/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1");
    if (NONE.includes(plain.toLowerCase())) return null;
    const found = plain.match(/^[<>≈~±+]?\s*(-?\d*\.?\d+(?:e[-+]?\d+)?)(?![\w-]|, )/i) || plain.match(/^(-?\d+(?:\.\d+)?)\s*[a-zµ%]/i);
    return found ? parseFloat(found[1]) : undefined;
  }

  function cellsOf(rows, column) {
    return rows.map((row) => row.cells[column].textContent.trim());
  }

  function isNumeric(texts) {
    const read = texts.map(number);
    return read.every((value) => value !== undefined) && read.some((value) => value !== null);
  }

  /* What has no value stays below, whichever way one sorts. */
  function compare(a, b, numeric, sign) {
    const [x, y] = numeric ? [number(a), number(b)] : [a || null, b || null];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
  }

  /* Rows with every cell of their own: what spans several is repeated. */
  function flattened(rows) {
    const open = [];
    return rows.map((row) => {
      const flat = row.cloneNode(false);
      const own = [...row.cells];
      for (let column = 0; own.length || open[column]?.left; column++) {
        if (!open[column]?.left) {
          const cell = own.shift();
          open[column] = { cell, left: cell.rowSpan };
        }
        open[column].left--;
        const copy = open[column].cell.cloneNode(true);
        copy.removeAttribute("rowspan");
        flat.append(copy);
      }
      return flat;
    });
  }

  function sort(table, heads, column, order) {
    const rows = [...(order === "none" ? table.firstOrder : table.flatRows)];
    const numeric = isNumeric(cellsOf(table.flatRows, column));
    if (order !== "none") {
      const sign = order === "ascending" ? 1 : -1;
      const text = (row) => row.cells[column].textContent.trim();
      rows.sort((a, b) => compare(text(a), text(b), numeric, sign));
    }
    table.tBodies[0].replaceChildren(...rows);
    heads.forEach((head, at) => head.setAttribute("aria-sort", at === column ? order : "none"));
  }

  /* pandas gives the index's names a row of their own; they belong above their columns. */
  function foldHead(table) {
    const [names, index] = table.tHead?.rows || [];
    if (table.tHead?.rows.length !== 2 || names.cells.length !== index.cells.length) return;
    const pairs = [...names.cells].map((cell, at) => [cell, index.cells[at]]);
    if (pairs.some(([above, below]) => above.textContent.trim() && below.textContent.trim())) return;
    pairs.forEach(([above, below]) => above.textContent.trim() || above.append(...below.childNodes));
    index.remove();
  }

  function next(head, numeric) {
    const orders = numeric ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    return orders[(orders.indexOf(head.getAttribute("aria-sort") || "none") + 1) % 3];
  }

  function makeSortable(table) {
    const rows = [...(table.tBodies[0]?.rows || [])];
    const heads = [...(table.tHead?.rows[table.tHead.rows.length - 1]?.cells || [])];
    if (rows.length < 2 || table.querySelector("tbody [colspan], thead [colspan], thead [rowspan]")) return;
    table.firstOrder = rows;
    table.flatRows = flattened(rows);
    if (table.flatRows.some((row) => row.cells.length !== heads.length)) return;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      if (!button.textContent.trim()) button.setAttribute("aria-label", "first column");
      button.addEventListener("click", () => {
        sort(table, heads, column, next(head, isNumeric(cellsOf(table.flatRows, column))));
      });
      head.setAttribute("aria-sort", "none");
      head.append(button);
    });
  }

  /* Columns counted from the right, since only heads of rows on the left span several. */
  function columnsOf(table) {
    const rows = [...(table.tBodies[0]?.rows || [])].map((row) => [...row.querySelectorAll("td")]);
    const count = Math.max(0, ...rows.map((row) => row.length));
    const heads = [...(table.tHead?.rows || [])].map((row) => [...row.cells]);
    return [...Array(count).keys()].map((column) => ({
      cells: rows.map((row) => row.at(column - count)).filter((cell) => cell),
      heads: heads.map((row) => row.at(column - count)).filter((cell) => cell),
    }));
  }

  function alignNumbers(table) {
    for (const { cells, heads } of columnsOf(table)) {
      if (isNumeric(cells.map((cell) => cell.textContent))) [...cells, ...heads].forEach((cell) => cell.classList.add("number"));
    }
  }

  function markBest(table, high) {
    for (const { cells } of columnsOf(table)) {
      if (!isNumeric(cells.map((cell) => cell.textContent))) continue;
      const values = cells.map((cell) => number(cell.textContent)).filter((value) => value !== null);
      const best = high ? Math.max(...values) : Math.min(...values);
      if (new Set(values).size < 2) continue;
      cells.filter((cell) => number(cell.textContent) === best).forEach((cell) => cell.classList.add("best"));
    }
  }

  /* A table that is wider than the page scrolls in a box of its own, by keyboard too. */
  function makeScrollable(table) {
    let box = table.closest(".pst-scrollable-table-container");
    if (!box) {
      box = document.createElement("div");
      box.className = "pst-scrollable-table-container";
      table.replaceWith(box);
      box.append(table);
    }
    const update = () => (box.scrollWidth > box.clientWidth ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex"));
    new ResizeObserver(update).observe(box);
    update();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("article table").forEach((table) => {
      foldHead(table);
      alignNumbers(table);
      if (table.matches(".best-high, .best-low")) markBest(table, table.matches(".best-high"));
      if (table.matches(".sortable, .cell_output table")) makeSortable(table);
      table.querySelectorAll("tbody th, tbody td").forEach((cell) => {
        cell.classList.toggle("long", cell.textContent.trim().length > 12);
      });
      makeScrollable(table);
    });
  });

  /* Code and formulas that are wider than the page scroll apiece, by keyboard too. */
  function letScroll() {
    document.querySelectorAll("article div.math, article mjx-container, article div.highlight pre").forEach((wide) => {
      if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
    });
  }

  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    letScroll();
  });
  window.addEventListener("resize", letScroll);
})();
