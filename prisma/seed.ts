import { Readable } from 'node:stream';
import type { Viewer } from '../src/auth/viewer.js';
import { roles } from '../src/auth/viewer.js';
import { createCategory } from '../src/category/category.service.js';
import { createContext, type RequestContext, type Services } from '../src/context.js';
import { pdf, png } from '../src/demo/files.js';
import { demoTenants, demoUsers } from '../src/demo/tenants.js';
import { createDocument } from '../src/document/document.service.js';
import { approve, inactivate, reject } from '../src/document/document.workflow.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { openToken } from '../src/share/share.token.js';

const DAY = 24 * 60 * 60 * 1000;

interface DemoDocument {
  name: string;
  description: string;
  category: string;
  tags: string[];
  /** Drawn when they are needed: most starts have nothing to seed. */
  files: { name: string; type: string; bytes: () => Buffer }[];
  afterwards?: (ctx: RequestContext, id: string) => Promise<unknown>;
}

const pdfFile = (name: string, ...lines: string[]) => ({ name, type: 'application/pdf', bytes: () => pdf(lines) });
/** The share that the start screen shows. */
const SHOWN = 'For the underwriter';
const csv =
  'date,description,amount\n2026-09-01,Opening balance,1200.00\n2026-09-14,Salary,3400.00\n2026-09-28,"Rent, September",-950.00\n';

const application = [
  [
    'Application for a home loan',
    'Applicant: Ada Example, born 1986-12-10',
    'Address: 12 Example Street, 1010 Exampleton',
    'Employer: Analytical Engines Ltd, since 2015-02-01',
    '',
    'Amount: 240,000.00',
    'Term: 20 years, repaid monthly',
    'Purpose: to buy the house at 7 Garden Lane, which secures the loan',
    '',
    'The applicant confirms that all statements are complete and true.',
    'Exampleton, 2026-09-02',
  ],
  ['Annex A: income', 'Salary, monthly net: 3,400.00', 'Rent received, monthly: 420.00', 'Evidence: income-2026.csv'],
  ['Annex B: obligations', 'Car loan, monthly: 190.00, until 2027-06-30', 'No guarantees, no other loans.'],
];
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August'];
const income = `month,salary,rent,other,total\n${months.map((month) => `${month} 2026,3400.00,420.00,0.00,3820.00\n`).join('')}`;
const letter = `Dear underwriter,

attached are the application with both annexes, a picture of the house, and my income of this year.

The valuation is booked for 14 September. Call me if anything is missing.

Kind regards
Ada Example
`;

/** From the root down: a name, then its children. */
const tree: [string, string, string[]][] = [
  ['KYC', 'All KYC documents', ['Identity', 'Address', 'Company']],
  ['Loans', 'Everything that belongs to a loan', ['Applications', 'Contracts']],
  ['Statements', 'Account statements', []],
];

const documents: DemoDocument[] = [
  {
    name: 'Passport of Ada Example',
    description: 'Both pages, scanned in colour.',
    category: 'Identity',
    tags: ['kyc', 'passport'],
    files: [
      pdfFile('passport.pdf', 'PASSPORT', 'Ada Example', 'Valid until 2031-04-30'),
      { name: 'photo.png', type: 'image/png', bytes: () => png(240, 320) },
    ],
    afterwards: async (ctx, id) => {
      await approve(ctx, id, {});
      await shareDocument(ctx, id, { expiresAt: new Date(ctx.now().getTime() + 30 * DAY), label: 'For the notary' });
    },
  },
  {
    name: 'Proof of address',
    description: 'Electricity bill of September.',
    category: 'Address',
    tags: ['kyc', 'bill'],
    files: [pdfFile('bill-2026-09.pdf', 'ELECTRICITY BILL', 'September 2026', '12 Example Street')],
    afterwards: (ctx, id) =>
      shareDocument(ctx, id, { expiresAt: new Date(ctx.now().getTime() + 7 * DAY), maxDownloads: 3, label: 'For the auditor' }),
  },
  {
    name: 'Steuerbescheid für Müller & Söhne – 2025 (Größe: M)',
    description: 'Ein Dokument mit einem Namen in UTF-8: 文書, документ, 📄.',
    category: 'Company',
    tags: ['kyc', 'tax', 'größe'],
    files: [pdfFile('Bescheid für Müller – 2025 文書.pdf', 'STEUERBESCHEID 2025')],
    afterwards: (ctx, id) => reject(ctx, id, { reason: 'The second page is missing. Please scan it again.' }),
  },
  {
    name: 'Account statement 2026-09',
    description: 'As exported from online banking.',
    category: 'Statements',
    tags: ['statement'],
    files: [{ name: 'statement-2026-09.csv', type: 'text/csv', bytes: () => Buffer.from(csv) }],
  },
  {
    name: 'Loan application of Ada Example',
    description: 'Home loan, 240,000 over 20 years. Everything that the underwriter asked for on 3 September.',
    category: 'Applications',
    tags: ['loan'],
    files: [
      { name: 'application.pdf', type: 'application/pdf', bytes: () => pdf(...application) },
      { name: 'house.png', type: 'image/png', bytes: () => png(480, 320) },
      { name: 'income-2026.csv', type: 'text/csv', bytes: () => Buffer.from(income) },
      { name: 'cover-letter.txt', type: 'text/plain', bytes: () => Buffer.from(letter) },
    ],
    afterwards: async (ctx, id) => {
      await approve(ctx, id, {});
      await shareDocument(ctx, id, { expiresAt: new Date(ctx.now().getTime() + 364 * DAY), label: SHOWN });
    },
  },
  {
    name: 'Loan contract 2019-0042',
    description: 'Repaid in 2024; kept for the record.',
    category: 'Contracts',
    tags: ['contract'],
    files: [pdfFile('contract-2019-0042.pdf', 'LOAN CONTRACT 2019-0042', 'Repaid on 2024-06-30')],
    afterwards: (ctx, id) => inactivate(ctx, id, {}),
  },
];

/** Fills an empty database with two tenants' demo data, through the same services as everyone. Does nothing on one that has any. */
export async function seed(services: Services): Promise<boolean> {
  if ((await services.prisma.category.count()) > 0) return false;
  for (const tenant of demoTenants) {
    const viewer: Viewer = { userId: demoUsers.admin, tenantId: tenant.id, scopes: new Set(roles.admin) };
    const ctx = createContext(services, { requestId: 'seed', viewer, baseUrl: '' });
    const categories = await seedCategories(ctx);
    for (const document of documents) await seedDocument(ctx, document, categories.get(document.category) ?? null);
  }
  return true;
}

async function seedCategories(ctx: RequestContext): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const [name, description, children] of tree) {
    const root = await createCategory(ctx, { name, description });
    ids.set(name, root.id);
    for (const child of children) ids.set(child, (await createCategory(ctx, { name: child, parentId: root.id })).id);
  }
  return ids;
}

async function seedDocument(ctx: RequestContext, { files, afterwards, category: _, ...input }: DemoDocument, categoryId: string | null) {
  const { id } = await createDocument(ctx, { ...input, categoryId, metadata: { source: 'demo' } });
  await uploadFiles(ctx, id, incoming(files));
  await afterwards?.(ctx, id);
}

async function* incoming(files: DemoDocument['files']) {
  for (const { name, type, bytes } of files) yield { name, declaredType: type, open: () => Readable.from([bytes()]) };
}

/** The token of the share that shows what outsiders see; null when it is no longer there, or not the demo's. */
export async function demoShareToken(services: Services): Promise<string | null> {
  const [{ id: tenantId }] = demoTenants;
  const open = { tenantId, label: SHOWN, revokedAt: null, expiresAt: { gt: services.now() } };
  const share = await services.prisma.share.findFirst({ where: open, orderBy: { id: 'asc' } });
  return share && openToken(createContext(services, { requestId: 'demo', viewer: null, baseUrl: '' }), share);
}
