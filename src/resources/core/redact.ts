/** Takes secrets out of a text that came from elsewhere: a server may quote the request it refuses. Pure. */

/** @param secrets as they are; they are found as they are written in JSON and in URLs, too */
export function redacted(text: string, secrets: Iterable<string | undefined>): string {
  const forms = [...secrets].flatMap((secret = '') =>
    secret === '' ? [] : [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)],
  );
  // The longest first: one may be part of another.
  return [...new Set(forms)]
    .sort((a, b) => b.length - a.length)
    .reduce((left, form) => left.replaceAll(form, '[hidden]'), text);
}
