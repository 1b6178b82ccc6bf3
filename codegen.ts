import type { CodegenConfig } from '@graphql-codegen/cli';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/graphql/schema.js';

/** Writes schema.graphql, the typed operations of the tests and their manifest, `persisted-documents.json`. CI fails when either differs from what is committed. */
const config: CodegenConfig = {
  schema: printSchema(lexicographicSortSchema(schema)),
  documents: 'test/operations/*.graphql',
  emitLegacyCommonJSImports: false,
  importExtension: '.js',
  generates: {
    'schema.graphql': { plugins: ['schema-ast'] },
    'test/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: 'sha256' } },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        emitExtension: '.js',
        scalars: { DateTime: 'string', UUID: 'string', JSON: 'unknown', ByteSize: 'number', Upload: 'never' },
      },
    },
  },
};

export default config;
