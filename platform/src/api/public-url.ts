/** Under which URL callers find the platform, where that is not what they wrote in the Host header: behind a proxy with TLS. */

/** @returns without a slash at its end @throws Error for what can be no base of other URLs */
export function requirePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error(`publicUrl ${JSON.stringify(text)} is no http or https URL.`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new Error('publicUrl must have no password, query or fragment.');
  return url.href.replace(/\/+$/, '');
}
