/** The two tenants, the user who acts, and how the server finds a document: as data.sql numbers them. */
export const tenants = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
export const [tenant] = tenants;
export const user = '33333333-3333-4333-8333-333333333333';
export const documentId = (n: number) => `DOCUMENT-${String(n).padStart(10, '0')}`;

/** One thing that clients do all the time: as a GraphQL operation, and as the path of the floor that answers the same. */
export interface Workload {
  name: string;
  title: string;
  query: string;
  /** One request for each; they are sent in turn. */
  variables: object[];
  /** Answers differ by ids and times: only their shape is compared. */
  writes?: boolean;
}

const everySecond = Array.from({ length: 500 }, (_, index) => documentId(index * 2));
/** After tomorrow, and well within the year that shares may last. */
const inAMonth = new Date(Date.now() + 30 * 86_400_000).toISOString();

/** @param deepCursor where page 50 of W3 begins */
export const workloads = (deepCursor: string): Workload[] => [
  {
    name: 'W1',
    title: 'the 20 newest documents with category and files',
    query: `query W1($first: Int!) { documents(first: $first) {
      nodes { id name status createdAt category { name } files { id name size } } pageInfo { hasNextPage endCursor } } }`,
    variables: [{ first: 20 }],
  },
  {
    name: 'W2',
    title: 'one document with everything below it',
    query: `query W2($id: ID!) { document(id: $id) { id name description status tags createdAt updatedAt version
      category { id name } storage { id name } files { id name contentType size } shares { nodes { id label expiresAt downloadCount } } } }`,
    variables: everySecond.map((id) => ({ id })),
  },
  {
    name: 'W3',
    title: 'page 50 of a filtered list',
    query: deepPage,
    variables: [{ after: deepCursor }],
  },
  {
    name: 'W4',
    title: '10 roots, the 10 newest documents of each, their files',
    query: `{ categories(first: 10, filter: { parentId: null }) { nodes { id name documents(first: 10) {
      nodes { id name createdAt files { id name size } } } } } }`,
    variables: [{}],
  },
  {
    name: 'W5',
    title: 'a new share',
    query: `mutation W5($input: ShareDocumentInput!) { shareDocument(input: $input) { ... on Share { id expiresAt label allowDownload } ... on Error { message } } }`,
    variables: approved(1000).map((id) => ({ input: { documentId: id, expiresAt: inAMonth, label: 'For the auditor' } })),
    writes: true,
  },
];

export const deepPage = `query W3($after: String) { documents(first: 20, after: $after, filter: { status: [APPROVED], tagsAll: ["kyc"] }) {
      nodes { id name status tags createdAt } pageInfo { hasNextPage endCursor } } }`;

/** Documents of the first tenant that data.sql made APPROVED. */
function approved(count: number): string[] {
  return Array.from({ length: count * 2 }, (_, index) => index)
    .filter((index) => index % 5 < 3)
    .slice(0, count)
    .map((index) => documentId(index * 2));
}
