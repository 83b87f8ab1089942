import { describe, expect, it } from 'vitest';
import { makeClient, type StoreAddress } from '../../../src/store/connection.ts';

const address: StoreAddress = {
  host: 'db.example.com',
  port: 5432,
  database: 'store',
  user: 'millrace',
  password: null,
  sslmode: 'prefer',
  ca: null,
  clientCert: null,
  clientKey: null,
};

describe('a connection to the store with sslmode=prefer', () => {
  it.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.9.9.9', '::1'])(
    'is plain on this machine, also by the name %s',
    (host) => {
      expect(makeClient({ ...address, host }).ssl).toBe(false);
    },
  );

  it.each(['db.example.com', '127.example.com', '10.0.0.1'])('has TLS to %s', (host) => {
    expect(makeClient({ ...address, host }).ssl).toBeTruthy();
  });
});
