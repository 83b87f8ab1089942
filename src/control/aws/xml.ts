/** Answers in XML: elements with text, or with other elements. */

type Content = { readonly [name: string]: string | Content };

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '�');
}

/** @param name and those in the content are names of XML */
export function element(name: string, content: object | string, namespace = ''): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`;
  const inner =
    typeof content === 'string'
      ? escapeXml(content)
      : Object.entries(content as Content)
          .map(([child, its]) => element(child, its))
          .join('');
  return `<${name}${attribute}>${inner}</${name}>`;
}
