import { wireName } from '../src/rest/wire.js';
import { graphqlUpload } from './multipart.js';
import type { ListQuery, Outcome, Surface } from './surfaces.js';
import type { Actor, World } from './world.js';

const audited = 'id createdBy updatedBy createdAt updatedAt';
const selections = {
  Storage: `${audited} name provider bucket config credentials managed`,
  Category: `${audited} name description parentId`,
  Document: `${audited} name description categoryId storageId tags metadata status rejectionReason reviewedBy reviewedAt`,
  Share: `${audited} documentId token expiresAt label allowDownload maxDownloads downloadCount hasPassword notBefore watermark openCount lastOpenedAt files: fileIds`,
  SharePreview: `document { name description status createdAt } files { id name contentType size downloadUrl } expiresAt allowDownload`,
  CredentialTest: 'checks { name ok }',
} as const;
type Type = keyof typeof selections;
const ofFile = 'id name contentType size sha256 createdAt createdBy';
const shown = (type: Type) => (type === 'Document' ? `${selections[type]} files { ${ofFile} }` : selections[type]);
const uploading = `mutation ($id: ID!, $files: [Upload!]!) { done: uploadFiles(input: { documentId: $id, files: $files }) {
  ... on Error { code } ... on ValidationError { fields { path } } ... on UploadedFiles { files { ${ofFile} } } } }`;

interface Issue {
  path: string;
}

/** GraphQL's names of what was wrong, as the wire has them: so one table serves both doors. */
const refused = (code: string, fields?: Issue[]) => ({ code, ...(fields && { fields: fields.map(({ path }) => wireName(path)) }) });

/** The GraphQL door, as a client sees it. */
export function graphqlSurface(world: () => World): Surface {
  // What an operation selects is what its type in surfaces.ts says.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  async function run(who: Actor | null, query: string, variables: object): Promise<{ data: any } | ReturnType<typeof refused>> {
    const { data, errors } = await world().graphql(who, query, variables);
    const [error] = errors ?? [];
    return error ? refused(error.extensions.code, error.extensions.fields) : { data };
  }

  async function union<Value>(who: Actor | null, call: string, head: string, type: Type, variables: object): Promise<Outcome<Value>> {
    const query = `${head} { done: ${call} {
      ... on Error { code } ... on ValidationError { fields { path } } ... on ${type} { ${selections[type]} } } }`;
    const answer = await run(who, query, variables);
    if (!('data' in answer)) return answer;
    const { done } = answer.data;
    return 'code' in done ? refused(done.code, done.fields) : { value: done };
  }

  const mutate = <Value>(who: Actor | null, name: string, type: Type, input: object) => {
    const inputType = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
    return union<Value>(who, `${name}(input: $input)`, `mutation ($input: ${inputType}!)`, type, { input });
  };

  async function find<Value>(who: Actor | null, name: string, type: Type, id: string): Promise<Outcome<Value>> {
    const answer = await run(who, `query ($id: ID!) { found: ${name}(id: $id) { ${shown(type)} } }`, { id });
    if (!('data' in answer)) return answer;
    return answer.data.found ? { value: answer.data.found } : { code: 'NOT_FOUND' };
  }

  async function list(who: Actor | null, name: string, type: Type, { filter, order, size }: ListQuery, of?: string) {
    const head = `$filter: ${type}Filter, $order: ${type}Order, $size: Int${of ? ', $of: ID!' : ''}`;
    const call = `list: ${name}(filter: $filter, orderBy: $order, first: $size) { totalCount nodes { ${shown(type)} } }`;
    const query = `query (${head}) { ${of ? `document(id: $of) { ${call} }` : call} }`;
    const answer = await run(who, query, { filter, order, size, of });
    if (!('data' in answer)) return answer;
    const found = of ? answer.data.document?.list : answer.data.list;
    return found ? { value: { count: found.totalCount, rows: found.nodes } } : { code: 'NOT_FOUND' };
  }

  const withoutValue = async (outcome: Promise<Outcome<unknown>>): Promise<Outcome> => {
    const ended = await outcome;
    return 'value' in ended ? { value: null } : ended;
  };

  return {
    name: 'GraphQL',
    createStorage: (who, input) => mutate(who, 'createStorage', 'Storage', input),
    updateStorage: (who, id, input) => mutate(who, 'updateStorage', 'Storage', { id, ...input }),
    getStorage: (who, id) => find(who, 'storage', 'Storage', id),
    listStorages: (who, query = {}) => list(who, 'storages', 'Storage', query),
    testCredential: async (who, storageId) => {
      const tested = await mutate<{ checks: { name: string; ok: boolean }[] }>(who, 'testCredential', 'CredentialTest', { storageId });
      return 'value' in tested ? { value: tested.value.checks } : tested;
    },
    createCategory: (who, input) => mutate(who, 'createCategory', 'Category', input),
    updateCategory: (who, id, input) => mutate(who, 'updateCategory', 'Category', { id, ...input }),
    getCategory: (who, id) => find(who, 'category', 'Category', id),
    listCategories: (who, query = {}) => list(who, 'categories', 'Category', query),
    createDocument: (who, input) => mutate(who, 'createDocument', 'Document', input),
    updateDocument: (who, id, input) => mutate(who, 'updateDocument', 'Document', { id, ...input }),
    deleteDocument: (who, id, input) => withoutValue(mutate(who, 'deleteDocument', 'Document', { id, ...input })),
    getDocument: (who, id) => find(who, 'document', 'Document', id),
    listDocuments: (who, query = {}) => list(who, 'documents', 'Document', query),
    listTags: async (who, search) => {
      const answer = await run(who, 'query ($search: String) { tags(search: $search) { name count } }', { search });
      return 'data' in answer ? { value: answer.data.tags } : answer;
    },
    approve: (who, id, input) => mutate(who, 'approve', 'Document', { id, ...input }),
    reject: (who, id, input) => mutate(who, 'reject', 'Document', { id, ...input }),
    inactivate: (who, id, input) => mutate(who, 'inactivate', 'Document', { id, ...input }),
    uploadFiles: async (who, id, files) => {
      const { data, errors } = (await world().inject(who, graphqlUpload(uploading, { id }, files))).json();
      const refusal = errors ? errors[0].extensions : data.done;
      return 'code' in refusal ? refused(refusal.code, refusal.fields) : { value: data.done.files };
    },
    downloadFile: async (who, _, id) => {
      const answer = await run(who, 'query ($id: ID!) { node(id: $id) { ... on File { downloadUrl } } }', { id });
      if (!('data' in answer)) return answer;
      if (!answer.data.node) return { code: 'NOT_FOUND' };
      const { pathname, search } = new URL(answer.data.node.downloadUrl);
      const { statusCode, body } = await world().inject(null, { url: pathname + search });
      if (statusCode !== 200) throw new Error(`a link of a file that is there: ${statusCode}`);
      return { value: body };
    },
    deleteFile: (who, _, id) => withoutValue(mutate(who, 'deleteFile', 'Document', { id })),
    shareDocument: (who, documentId, input) => mutate(who, 'shareDocument', 'Share', { documentId, ...input }),
    updateShare: (who, _, id, input) => mutate(who, 'updateShare', 'Share', { id, ...input }),
    revokeShare: (who, _, id, input) => withoutValue(mutate(who, 'revokeShare', 'Share', { id, ...input })),
    getShare: (who, _, id) => find(who, 'share', 'Share', id),
    listShares: (who, of, { filter, ...query } = {}) =>
      list(who, 'shares', 'Share', { ...query, filter: { ...filter, revoked: false } }, of),
    previewShare: (token, password) =>
      union(null, 'sharePreview(token: $token, password: $password)', 'query ($token: String!, $password: String)', 'SharePreview', {
        token,
        password,
      }),
  };
}
