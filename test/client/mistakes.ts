import type { paths } from 'docgate-openapi';
import createClient from 'openapi-fetch';

const docgate = createClient<paths>({ baseUrl: '/' });
const path = { id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' };

/** What the description must not let pass. Checked, never run: a line that is no error is an error. */
export async function mistakes() {
  // @ts-expect-error: no such path
  await docgate.GET('/document/');
  // @ts-expect-error: no such method
  await docgate.DELETE('/categories/{id}/', { params: { path } });
  // @ts-expect-error: a name is required
  await docgate.POST('/categories/', { body: { description: 'All KYC Documents' } });
  // @ts-expect-error: a name is a text
  await docgate.POST('/categories/', { body: { name: 1 } });
  // @ts-expect-error: no such provider
  await docgate.POST('/storages/', { body: { name: 'a', provider: 'ftp', bucket: 'kyc', credentials: {} } });
  // @ts-expect-error: a path takes its id
  await docgate.GET('/documents/{id}/', {});
  // @ts-expect-error: no such status
  await docgate.GET('/documents/', { params: { query: { status: 'lost' } } });
  // @ts-expect-error: a reason is required
  await docgate.PUT('/documents/{id}/reject/', { params: { path }, body: {} });
  // @ts-expect-error: a share ends
  await docgate.POST('/documents/{id}/shares/', { params: { path }, body: { label: 'forever' } });
  const { data } = await docgate.GET('/documents/{id}/', { params: { path } });
  // @ts-expect-error: names are those of the wire
  return data?.createdAt;
}
