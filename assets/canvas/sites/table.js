// A table: rows weigh columns, such as nodes nodes or branches channels; no place is asked.

import { decodeFloats } from "../codec.js";
import { makeScale, signedScale } from "../colours.js";
import { number } from "../format.js";
import { cellAt, cellBox, cells, rowColumn, toModel } from "../grids.js";
import { extent, largest, sortedIndices, topIndices } from "../statistics.js";
import { tableSentence } from "../words.js";

const FEW = 5;

export class TableSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = 1;
    this.detail = "table";
    this.table = site.table;
    this.values = decodeFloats(site.table.values);
    this.signed = Boolean(site.table.signed);
    this.range = extent(this.values);
    this.rowMaps = openMaps(site.row_maps ?? site.table.row_maps);
    this.columnMaps = openMaps(site.column_maps ?? site.table.column_maps);
    this.pointerGrid = (this.rowMaps ?? this.columnMaps)?.grid ?? null;
    this.first = Math.floor(this.strongest() / site.table.columns);
  }

  strongest() {
    return topIndices(this.values.map(Math.abs), 1)[0];
  }

  /** The row on show: the pinned one, else the one pointed at. */
  line(state) {
    const wanted = state.channel ?? state.rowPointed;
    return wanted !== null && wanted < this.table.rows ? wanted : this.first;
  }

  /** The column pointed at, or null. */
  column(state) {
    const wanted = state.channelPointed;
    return wanted !== null && wanted < this.table.columns ? wanted : null;
  }

  row(state) {
    const from = this.line(state) * this.table.columns;
    return this.values.subarray(from, from + this.table.columns);
  }

  rowName(index, say) {
    const { row_labels: labels, row_axis: axis } = this.table;
    return labels?.[index] ?? say("maps.one", { name: axis, index });
  }

  columnName(index, say) {
    const { column_labels: labels, column_axis: axis } = this.table;
    return labels?.[index] ?? say("maps.one", { name: axis, index });
  }

  scale(values, state) {
    const [low, high] = state.scale === "fixed" ? this.range : extent(values);
    return this.signed ? signedScale(Math.max(-low, high)) : makeScale(Math.min(low, 0), high);
  }

  matrixView(state, say) {
    const { rows, columns, row_axis: down, column_axis: across } = this.table;
    const scale = this.scale(this.values, state);
    const at = { row: this.line(state), column: this.column(state) };
    const words = { down, across, low: number(scale.low), high: number(scale.high) };
    return { values: this.values, rows, columns, scale, query: at.row, column: at.column,
      cells: true, pinned: state.channel !== null,
      caption: say("table.caption", words), label: say("table.label", { axis: down }),
      said: this.rowName(at.row, say) };
  }

  bars(state, say) {
    const row = this.row(state);
    const column = this.column(state) ?? topIndices(row, 1)[0];
    const { low, high } = this.scale(row, state);
    return { values: row, order: this.columnOrder(row), low, high, shown: column, pinned: null,
      names: this.table.column_labels,
      caption: say("table.cell", { row: this.rowName(this.line(state), say),
        column: this.columnName(column, say), value: number(row[column]) }),
      label: say("table.bars_label", { row: this.rowName(this.line(state), say) }) };
  }

  /** Columns with names keep their order; numbered ones are sorted. */
  columnOrder(row) {
    return this.table.column_labels ? Array.from(row, (_, i) => i) : sortedIndices(row);
  }

  /** The map over the picture: of the column pointed at, else of the row. */
  shownMap(state) {
    const column = this.column(state);
    if (this.columnMaps && (column !== null || !this.rowMaps)) {
      const index = column ?? topIndices(this.row(state), 1)[0];
      return { maps: this.columnMaps, index, name: (say) => this.columnName(index, say) };
    }
    if (!this.rowMaps) return null;
    const index = this.line(state);
    return { maps: this.rowMaps, index, name: (say) => this.rowName(index, say) };
  }

  frame(state) {
    const found = this.shownMap(state);
    if (!found) return null;
    const { grid, range } = found.maps;
    const values = found.maps.one(found.index);
    const [low, high] = state.scale === "fixed" ? range : extent(values);
    return { values, grid, query: null,
      scale: range[0] < 0 ? signedScale(Math.max(-low, high)) : makeScale(low, high) };
  }

  legend(state, say) {
    const { scale } = this.frame(state);
    const words = { name: this.shownMap(state).name(say), low: number(scale.low),
      high: number(scale.high) };
    return { label: say(state.scale === "fixed" ? "bar.maps_fixed" : "bar.maps", words), ticks: [] };
  }

  pointed(state) {
    const found = this.shownMap(state);
    if (!found || !state.pointer) return null;
    const { framing } = this.scene;
    const index = cellAt(found.maps.grid, toModel(framing, state.pointer));
    return { value: found.maps.one(found.index)[index], cell: rowColumn(found.maps.grid, index),
      boxes: [cellBox(framing, found.maps.grid, index)], times: null, of: found.name };
  }

  numbers(state, say) {
    const row = this.row(state);
    const [low, high] = extent(row);
    const { rows } = this.table;
    const means = rows > FEW ? [] : Array.from({ length: rows }, (_, i) => [
      say("numbers.mean_of", { name: this.rowName(i, say) }),
      number(mean(this.values.subarray(i * row.length, (i + 1) * row.length)))]);
    return [
      [say("numbers.range"), `${number(low)} … ${number(high)}`],
      ...(means.length ? means : [[say("numbers.mean"), number(mean(row))]]),
      [say("numbers.sum"), number(row.reduce((sum, value) => sum + value, 0), 4)],
    ];
  }

  top(state, say) {
    const row = this.row(state);
    const entries = topIndices(row, 5).map((column) => ({
      label: this.columnName(column, say), weight: row[column], under: null }));
    return { title: say("table.top", { row: this.rowName(this.line(state), say) }), entries };
  }

  sentence(state, say) {
    const row = this.row(state);
    const best = topIndices(row.map(Math.abs), 1)[0];
    return tableSentence(row, this.rowName(this.line(state), say), this.columnName(best, say),
      row[best], say);
  }

  hint(say) {
    return say("readout.table");
  }

  thumbnail() {
    const { rows, columns } = this.table;
    const size = largest(this.values);
    return { values: this.values, plain: true, rows, columns,
      scale: this.signed ? signedScale(size) : makeScale(0, size) };
  }
}

function openMaps(sent) {
  if (!sent) return null;
  const values = decodeFloats(sent.values);
  const size = cells(sent.grid);
  return { grid: sent.grid, range: extent(values),
    one: (index) => values.subarray(index * size, (index + 1) * size) };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
