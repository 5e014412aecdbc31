// One class for each kind of captured attention; a new kind is one more entry.

import { ChannelAffinitySite, ChannelGateSite } from "./channels.js";
import { PlaceSite } from "./place.js";
import { SpatialSite } from "./spatial.js";

const KINDS = {
  place_affinity: PlaceSite,
  spatial_gate: SpatialSite,
  channel_gate: ChannelGateSite,
  channel_affinity: ChannelAffinitySite,
};

/** Build what knows how to draw and describe a site. */
export function openSite(site, scene) {
  const Kind = KINDS[site.kind];
  if (!Kind) throw new Error(`expected a kind of ${Object.keys(KINDS)}, received ${site.kind}`);
  return new Kind(site, scene);
}
