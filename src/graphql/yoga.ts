import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, parse } from 'graphql';
import { processRequest } from 'graphql-upload-minimal';
import { createYoga, type GraphQLParams, type Plugin } from 'graphql-yoga';
import type { RequestContext } from '../context.js';
import { DomainError } from '../errors.js';
import { costErrors, countingRule, limits } from './limits.js';
import { maskError } from './mask.js';
import { variableErrors } from './quiet.js';
import { schema } from './schema.js';
import { type DocumentParams, documentText, type TrustedDocuments } from './trusted.js';
import { multipartFault } from './upload.js';

/** What the HTTP host hands over with each request. */
export interface DoorContext {
  docgate: RequestContext;
  req: IncomingMessage;
  res: ServerResponse;
}

/** A header that no form can send: whoever sends one went through a CORS preflight. */
const preflightHeaders = ['apollo-require-preflight', 'x-graphql-yoga-csrf', 'graphql-require-preflight'];

export interface GraphiqlTabs {
  tabs: { query: string; variables?: string; headers?: string }[];
}

/** @param graphiql null: no GraphiQL @param trusted null: all operations are answered */
export function createGraphqlHandler(graphiql: GraphiqlTabs | null, trusted: TrustedDocuments | null) {
  return createYoga<DoorContext, RequestContext>({
    schema,
    context: ({ docgate }) => docgate,
    graphqlEndpoint: '/graphql',
    graphiql: graphiql ? { title: 'Docgate', defaultTabs: graphiql.tabs, headers: graphiql.tabs[0]?.headers } : false,
    // Nine megabytes of script, which a server without developers never needs.
    renderGraphiQL: async (options) => (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    landingPage: false,
    batching: false,
    cors: false,
    logging: false,
    // A number would make uploads wait in memory; the host limits JSON bodies before they get here.
    maxRequestBodySize: false,
    maskedErrors: { maskError: (error) => error as Error },
    plugins: [useUploads(), useTrusted(trusted), useLimits(), useMasking()],
  });
}

/** Streams multipart requests; the default parser would hold them in memory. */
function useUploads(): Plugin<DoorContext, DoorContext> {
  return {
    onRequestParse({ request, serverContext, setRequestParser }) {
      if (!request.headers.get('content-type')?.toLowerCase().startsWith('multipart/form-data')) return;
      setRequestParser(async () => {
        if (!preflightHeaders.some((name) => request.headers.has(name))) {
          throw toHttp(new DomainError('CSRF_HEADER_MISSING', 'Multipart requests need the header "apollo-require-preflight: true".'));
        }
        return parseMultipart(serverContext);
      });
    },
  };
}

async function parseMultipart({ docgate, req, res }: DoorContext): Promise<GraphQLParams> {
  const { maxFiles } = docgate.services.limits;
  try {
    // The service judges sizes, so that every door says the same.
    const operation = await processRequest(req, res, { maxFieldSize: 1024 * 1024, maxFiles });
    if (Array.isArray(operation)) throw new DomainError('BAD_REQUEST', 'Send one operation at a time.');
    return operation as GraphQLParams; // Yoga checks the parameters next.
  } catch (error) {
    throw toHttp(error instanceof DomainError ? error : multipartFault(error));
  }
}

const toHttp = (error: DomainError) =>
  new GraphQLError(error.message, { originalError: error, extensions: { code: error.code, http: { status: error.status } } });

/** What names a document by its digest becomes its text, before anything else looks at it. */
function useTrusted(trusted: TrustedDocuments | null): Plugin<DoorContext, DoorContext> {
  return {
    onParams({ request, params, setParams }) {
      // Yoga leaves the parameter of a GET in the address.
      const { documentId = documentIdOf(request), ...rest } = params as GraphQLParams & DocumentParams;
      try {
        setParams({ ...rest, query: documentText({ ...rest, documentId }, trusted) as string | undefined }); // Yoga checks it next.
      } catch (error) {
        throw error instanceof DomainError ? toHttp(error) : error;
      }
    },
  };
}

const documentIdOf = ({ method, url }: Request) => (method === 'GET' ? new URL(url).searchParams.get('documentId') : null);

function useLimits(): Plugin<DoorContext, DoorContext> {
  return {
    onParse({ setParseFn }) {
      setParseFn((source, options) => parse(source, { ...options, maxTokens: limits.tokens }));
    },
    onValidate({ addValidationRule }) {
      addValidationRule(countingRule);
    },
    onExecute({ args, setResultAndStopExecution }) {
      const unfit = variableErrors(args);
      const errors = unfit.length > 0 ? unfit : costErrors(args, args.contextValue);
      if (errors.length > 0) setResultAndStopExecution({ errors });
    },
  };
}

/** Every way to an error leads through here. */
function useMasking(): Plugin<DoorContext, DoorContext> {
  return {
    onResultProcess({ result, serverContext, setResult }) {
      if (Array.isArray(result) || !('errors' in result) || !result.errors) return;
      const { docgate } = serverContext;
      setResult({ ...result, errors: result.errors.map((error) => maskError(error, docgate)) });
    },
  };
}
