import { once } from './measure.js';
import { markdown } from './sections.js';
import type { Target } from './targets.js';
import { deepPage, type Workload } from './workloads.js';

const REPEATS = 15;
const FAR = 10_000;

const listed = (query: string): Workload => ({ name: '', title: '', query, variables: [{}] });
const counted = (filter: string) => listed(`{ documents(first: 0, filter: ${filter}) { totalCount } }`);
const nodes = 'nodes { id name createdAt }';

/** Answered one at a time: what it takes to find a page, to count and to search among this many documents. */
export async function measureGrowth(docgate: Target, token: string, documents: number): Promise<string> {
  const far = Math.min(FAR, Math.floor(documents / 100));
  const graphql = (workload: Workload) => docgate.requests(workload);
  const rest = (path: string) => [{ method: 'GET', path, headers: { authorization: `Bearer ${token}` } }];
  const page = async (number: number) => graphql({ ...listed(deepPage), variables: [{ after: await cursorOfPage(docgate, number) }] });
  const cases = [
    ['W3, page 1, by cursor', await page(1)],
    [`W3, page ${far}, by cursor`, await page(far)],
    ['`totalCount` of all documents', graphql(counted('{}'))],
    [
      '`totalCount` by status, tag and category',
      graphql(counted('{ status: [APPROVED], tagsAll: ["kyc"], categoryId: "CATEGORY-000010" }')),
    ],
    ['`totalCount` of a category and those below', graphql(counted('{ categoryId: "CATEGORY-000001", includeDescendants: true }'))],
    ['`totalCount` by two tags', graphql(counted('{ tagsAll: ["kyc", "year-2010"] }'))],
    ['`totalCount` by a name that few have', graphql(counted('{ search: "c4ca4238a0" }'))],
    ['`totalCount` by a name that every fifth has', graphql(counted('{ search: "passport" }'))],
    ['by a name that few have', graphql(listed(`{ documents(filter: { search: "c4ca4238a0" }) { ${nodes} } }`))],
    ['by a name that every fifth has', graphql(listed(`{ documents(filter: { search: "passport" }) { ${nodes} } }`))],
    ['REST, page 1 with `count`', rest('/documents/?status=approved&tags=kyc')],
    [`REST, page ${far} with \`count\``, rest(`/documents/?page=${far}`)],
    ['tags with their counts', rest('/documents/tags/?counts=true')],
  ] as const;
  const rows: string[][] = [];
  for (const [title, requests] of cases) rows.push([title, (await medianMs(docgate, [...requests])).toFixed(1)]);
  return markdown([`${documents} documents, half of them of the tenant`, 'p50 ms'], rows);
}

async function medianMs(docgate: Target, requests: Parameters<typeof once>[1]): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const begun = performance.now();
    const answer = (await once(docgate, requests)).toString();
    times.push(performance.now() - begun);
    if (/^\{"(errors|error|code)"/.test(answer)) throw new Error(answer.slice(0, 500));
  }
  return times.sort((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? Number.NaN;
}

/** Walks to a page as a client would, and remembers where it begins. Null: it is the first. */
export async function cursorOfPage(target: Target, wanted: number): Promise<string | null> {
  let after: string | null = null;
  let left = (wanted - 1) * 20;
  while (left > 0) {
    const first = Math.min(left, 100);
    const query = deepPage.replace('first: 20', `first: ${first}`);
    const answer = JSON.parse((await once(target, target.requests({ ...listed(query), variables: [{ after }] }))).toString()) as {
      data: { documents: { pageInfo: { endCursor: string | null; hasNextPage: boolean } } };
    };
    const { endCursor, hasNextPage } = answer.data.documents.pageInfo;
    if (!endCursor || !hasNextPage) break;
    after = endCursor;
    left -= first;
  }
  return after;
}
