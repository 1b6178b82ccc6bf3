/** PDF objects by number, as text: the first is the catalog. */
function assemble(objects: string[], trailer = ''): Buffer {
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const end = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${body.length}\n%%EOF\n`;
  return Buffer.from(`${body}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}${end}`, 'latin1');
}

const stream = (content: string, entries = '') => `<< /Length ${content.length} ${entries} >>\nstream\n${content}\nendstream`;

interface PdfOptions {
  pages?: number;
  /** Width and height of each page, in points. */
  size?: [number, number];
  /** What is drawn on each page. */
  content?: string;
  /** More of the trailer. */
  trailer?: string;
}

/** A PDF of equal pages; by default a red square in the upper left quarter of an A4 page. */
export function pdfOf({ pages = 1, size = [595, 842], content = '1 0 0 rg 0 421 297 421 re f', trailer }: PdfOptions = {}): Buffer {
  const first = 4;
  const kids = Array.from({ length: pages }, (_, index) => `${first + index} 0 R`).join(' ');
  const page = `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${size.join(' ')}] /Contents 3 0 R >>`;
  const tree = `<< /Type /Pages /Kids [${kids}] /Count ${pages} >>`;
  return assemble(['<< /Type /Catalog /Pages 2 0 R >>', tree, stream(content), ...Array<string>(pages).fill(page)], trailer);
}

/** One whose password nobody knows, not even this function. */
export const lockedPdf = (): Buffer => {
  const digest = `<${'ab'.repeat(32)}>`;
  return pdfOf({ trailer: `/ID [${digest} ${digest}] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O ${digest} /U ${digest} >>` });
};

/** Small in bytes and in memory, and drawn for hours: each of its shadings computes a function for every pixel. */
export function endlessPdf(): Buffer {
  const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 3 0 R /Resources << /Shading << /S 5 0 R >> >> >>';
  const tree = '<< /Type /Pages /Kids [4 0 R] /Count 1 >>';
  const shading = '<< /ShadingType 1 /ColorSpace /DeviceRGB /Domain [0 1 0 1] /Matrix [595 0 0 842 0 0] /Function 6 0 R >>';
  const functionOfPlace = stream('{ 2 copy mul }', '/FunctionType 4 /Domain [0 1 0 1] /Range [0 1 0 1 0 1]');
  return assemble(['<< /Type /Catalog /Pages 2 0 R >>', tree, stream('/S sh '.repeat(50_000)), page, shading, functionOfPlace]);
}

/** A page tree that is its own child. */
export const circularPdf = (): Buffer => assemble(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>']);
