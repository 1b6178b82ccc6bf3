import type { GraphiqlTabs } from '../graphql/yoga.js';

const examples = [
  `# 1. What is there? Press the play button (or Ctrl+Enter).
query Documents {
  documents(first: 10, filter: { tagsAll: ["kyc"] }) {
    totalCount
    nodes { id name status category { name } files { id name size contentType } }
    pageInfo { hasNextPage endCursor }
  }
}`,
  `# 2. File a new document. Every mutation answers the object, or a typed error.
mutation CreateDocument {
  createDocument(input: { name: "Payslip of October", tags: ["income"] }) {
    ... on Document { id name status version }
    ... on Error { code message }
    ... on ValidationError { fields { path message } }
  }
}`,
  `# 3. Approve or reject a document that is PENDING. Copy its id from the first tab into the variables.
mutation Approve($id: ID!) {
  approve(input: { id: $id }) {
    ... on Document { id status reviewedBy reviewedAt history(first: 3) { nodes { action before after createdAt } } }
    ... on Error { code message }
  }
}`,
  `# 4. Share a document: the token opens it for people without an account.
mutation Share($id: ID!, $expiresAt: DateTime!) {
  shareDocument(input: { documentId: $id, expiresAt: $expiresAt, maxDownloads: 5 }) {
    ... on Share { id token expiresAt status }
    ... on Error { code message }
  }
}`,
  `# 5. Open a share as an outsider. Needs no bearer token: remove the header and try.
query OpenShare($token: String!) {
  sharePreview(token: $token) {
    ... on SharePreview { document { name description } files { name size downloadUrl } expiresAt }
    ... on Error { code message }
  }
}`,
  `# 6. The tree of categories, with the newest documents of each.
query Tree {
  categories(filter: { parentId: null }) {
    nodes { name documentCount children { nodes { name documents(first: 3) { nodes { name } } } } }
  }
}`,
];

const variables = [
  undefined,
  undefined,
  { id: 'paste the id of a document' },
  { id: 'paste the id of a document', expiresAt: new Date(Date.now() + 7 * 24 * 60 * 60 * 1000).toISOString() },
  { token: 'paste the token of a share' },
];

/** GraphiQL's first tabs: the main job, one step each. @param token put into each tab's headers; null: the reader brings one */
export function exampleTabs(token: string | null): GraphiqlTabs {
  const headers = token === null ? undefined : JSON.stringify({ authorization: `Bearer ${token}` }, null, 2);
  return {
    tabs: examples.map((query, index) => ({ query, variables: variables[index] && JSON.stringify(variables[index], null, 2), headers })),
  };
}
