/** What a request to the fake is, in the words of its tests: `PUT site` is a PUT of this name. */
const NAMES: readonly [RegExp, string][] = [
  [/^subscriptions\/[^/]+\/providers\/.*operationResults\//, 'operation'],
  [/^subscriptions\/[^/]+\/resourceGroups\/[^/]+$/, 'group'],
  [/\/resources$/, 'resources'],
  [/storageAccounts\/[^/]+$/, 'storage'],
  [/storageAccounts\/[^/]+\/listKeys$/, 'storage keys'],
  [/\/containers\/[^/]+$/, 'container'],
  [/serverfarms(\/[^/]+)?$/, 'plan'],
  [/\/sites$/, 'sites'],
  [/\/sites\/[^/]+$/, 'site'],
  [/config\/appsettings\/list$/, 'settings'],
  [/config\/appsettings$/, 'settings'],
  [/config\/web$/, 'configuration'],
  [/listkeys$/, 'keys'],
  [/syncfunctiontriggers$/, 'sync'],
  [/tags\/default$/, 'tags'],
  [/^api\/publish$/, 'publish'],
  [/^api\/zipdeploy$/, 'zipdeploy'],
  [/^api\/deployments\//, 'deployment'],
  [/^api\/job$/, 'call'],
  [/^v1\/apps\/[^/]+\/query$/, 'query'],
];

/** @param steps of the path */
export function nameOf(steps: readonly string[]): string {
  const path = steps.join('/');
  return NAMES.find(([pattern]) => pattern.test(path))?.[1] ?? path;
}
