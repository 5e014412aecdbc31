// One class for each way of showing an attention; the payload says which one a site has.

import { ClassMapSite } from "../../trust/class_map.js";
import { BarsSite } from "./bars.js";
import { ChannelAffinitySite, ChannelGateSite } from "./channels.js";
import { EdgesSite } from "./edges.js";
import { MapsSite } from "./maps.js";
import { RebuiltSite } from "./rebuilt.js";
import { RowsSite } from "./rows.js";
import { MapSite } from "./spatial.js";
import { TableSite } from "./table.js";

const VIEWS = {
  rows: RowsSite,
  map: MapSite,
  class_map: ClassMapSite,
  maps: MapsSite,
  rebuilt: RebuiltSite,
  edges: EdgesSite,
  table: TableSite,
  bars: BarsSite,
  channels: ChannelGateSite,
  matrix: ChannelAffinitySite,
};

/** Build what knows how to draw and describe a site, by one of its faces. */
export function openSite(site, scene, face) {
  const View = VIEWS[face];
  if (!View) throw new Error(`expected a view of ${Object.keys(VIEWS)}, received ${face}`);
  return new View(site, scene);
}
