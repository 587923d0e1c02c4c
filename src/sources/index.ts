/** Producers and consumers for common places: streams of NDJSON, and code that pushes. */
export { type Channel, channel } from './channel.js';
export { fromNdjson, toNdjson } from './ndjson.js';
