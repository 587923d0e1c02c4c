/** Where each provider is: a state that is held against another server would find everything gone. Pure. */
import type { State } from './state.js';

export interface Endpoint {
  /** Without credentials. */
  readonly url: string;
  /** The environment variable that says it. */
  readonly variable: string;
}

/** @returns what is wrong with going on at today's endpoints; empty when nothing is */
export function endpointFaults(state: State, endpoints: ReadonlyMap<string, Endpoint>): string[] {
  const used = new Set([...state.resources.values()].map(({ provider }) => provider));
  return [...endpoints].flatMap(([provider, { url, variable }]) => {
    const known = state.endpoints[provider];
    if (known === undefined || known === url || !used.has(provider)) return [];
    return [
      `${provider} is at ${url}, and the state knows what it made at ${known}: here all of it would look gone. Set ${variable} to ${known}, or use another --state for ${url}; if the provider has moved with all that it holds, add --new-endpoint.`,
    ];
  });
}

/** The state with today's endpoints; the same object when it knows them. */
export function withEndpoints(state: State, endpoints: ReadonlyMap<string, Endpoint>): State {
  const news = [...endpoints].filter(([provider, { url }]) => state.endpoints[provider] !== url);
  if (news.length === 0) return state;
  const urls = Object.fromEntries(news.map(([provider, { url }]) => [provider, url]));
  return { ...state, endpoints: { ...state.endpoints, ...urls } };
}
