import type { paths } from 'docgate-openapi';
import createClient from 'openapi-fetch';

/** The whole main job, by a program that knows Docgate from its description alone. Prints what it got, as JSON. */
const [baseUrl = '', token = ''] = process.argv.slice(2);
const docgate = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });
const outsider = createClient<paths>({ baseUrl });

/** What was asked for. @throws with the answer that came instead */
function got<Data>({ data, error, response }: { data?: Data; error?: unknown; response: Response }): Data {
  if (data === undefined) throw new Error(`${response.status} ${JSON.stringify(error)}`);
  return data;
}

function formOf({ files }: { files: Blob[] }): FormData {
  const form = new FormData();
  for (const file of files) form.append('files', file);
  return form;
}

const files = ['front', 'back'].map((side) => new File([`%PDF-1.4 ${side}`], `${side}.pdf`, { type: 'application/pdf' }));
const expires_at = new Date(Date.now() + 86_400_000).toISOString();

const category = got(await docgate.POST('/categories/', { body: { name: 'KYC', description: 'All KYC Documents', parent: '' } }));
const { id } = got(await docgate.POST('/documents/', { body: { name: 'Passport', category: category.id, tags: ['kyc'] } }));
const path = { id };
const uploaded = got(await docgate.POST('/documents/{id}/files/', { params: { path }, body: { files }, bodySerializer: formOf }));
const approved = got(await docgate.PUT('/documents/{id}/approve/', { params: { path } }));
const share = got(await docgate.POST('/documents/{id}/shares/', { params: { path }, body: { expires_at } }));
const preview = got(await outsider.GET('/documents/preview/{token}/', { params: { path: { token: share.token } } }));
const [front, back] = await Promise.all(
  uploaded.map(async ({ id: file }) =>
    got(await docgate.GET('/documents/{id}/files/{file}/', { params: { path: { id, file } }, parseAs: 'text' })),
  ),
);
const shared = await Promise.all(preview.files.map(async ({ download_url }) => (await fetch(download_url ?? '')).text()));
const zip = got(await docgate.GET('/documents/{id}/files/', { params: { path }, parseAs: 'arrayBuffer' }));
const found = got(await docgate.GET('/documents/', { params: { query: { tags: 'kyc', status: 'approved', page_size: 5 } } }));
const stranger = await outsider.GET('/documents/{id}/', { params: { path } });

console.log(
  JSON.stringify({
    status: approved.status,
    uploaded: uploaded.map(({ name, size, content_type }) => ({ name, size, content_type })),
    preview: preview.document.name,
    downloads: [front, back],
    shared,
    zip: Buffer.from(zip).toString('base64'),
    found: { count: found.count, same: found.results[0]?.id === id && found.results[0].category === category.id },
    stranger: { status: stranger.response.status, detail: stranger.error?.detail },
  }),
);
