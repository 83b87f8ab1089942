import { describe, expect, it } from 'vitest';
import { pgbouncerAbility } from '../../../../bench/cases/way.ts';
import { listeningPort, millraceConfig, plainForm } from '../../../../bench/ways/millrace.ts';
import { listenerCount, pgbouncerConfig } from '../../../../bench/ways/pgbouncer.ts';

const place = {
  login: { user: 'bench', password: 'not-a-secret' },
  address: { port: 20_001, database: 'demo' },
};
const tls = { cert: '/tmp/a.crt', key: '/tmp/a.key' };

describe('the configuration of the gateway', () => {
  it('has one configuration for each pool size', () => {
    const text = millraceConfig(place, [4, 20], plainForm);
    expect(text).toContain('name = "pool4"\norigin_connection_limit = 4\n');
    expect(text).toContain('name = "pool20"\norigin_connection_limit = 20\n');
    expect(text.match(/\[configurations\.origin\]/g)).toHaveLength(2);
  });

  it('has the cache only where it is measured, with answers that outlive a case', () => {
    expect(millraceConfig(place, [4], plainForm)).toContain('disabled = true\n');
    const cached = millraceConfig(place, [4], { ...plainForm, hasCache: true });
    expect(cached).toContain('max_age = 3600\n');
    expect(cached).not.toContain('disabled');
  });

  it('has as many workers as asked for, and TLS', () => {
    const text = millraceConfig(place, [4], { hasCache: false, workers: 2, tls });
    expect(text).toMatch(/^workers = 2\n/);
    expect(text).toContain('tls = "required"\ntls_cert = "/tmp/a.crt"\ntls_key = "/tmp/a.key"\n');
  });

  it('leaves the port to the system, which the log then tells', () => {
    const log =
      '{"level":40,"msg":"a warning"}\n' +
      '{"level":30,"addresses":[{"address":"127.0.0.1","port":46841}],"msg":"listening"}\n';
    expect(listeningPort(log)).toBe(46_841);
    expect(listeningPort('{"level":30,"port":1,"msg":"draining"}\n')).toBeNull();
  });
});

describe('the configuration of PgBouncer', () => {
  const configOf = (version: string, processes = 1): string => {
    const ability = pgbouncerAbility(`PgBouncer ${version}`);
    const form = { ability, processes, tls: processes === 1 ? null : tls };
    return pgbouncerConfig(place, [4, 8], form, 20_002, '/tmp/users');
  };

  it('has one database for each pool size, and asks for SCRAM', () => {
    const text = configOf('1.18.0');
    expect(text).toContain('pool4 = host=127.0.0.1 port=20001 dbname=demo pool_size=4\n');
    expect(text).toContain('pool8 = host=127.0.0.1 port=20001 dbname=demo pool_size=8\n');
    expect(text).toContain('auth_type = scram-sha-256\n');
    expect(text).not.toContain('so_reuseport');
    expect(text).not.toContain('client_tls');
  });

  it('divides the pool among processes that share a port', () => {
    const text = configOf('1.18.0', 2);
    expect(text).toContain('so_reuseport = 1\n');
    expect(text).toContain('pool8 = host=127.0.0.1 port=20001 dbname=demo pool_size=4\n');
    expect(text).toContain('client_tls_key_file = /tmp/a.key\n');
  });

  it('turns on prepared statements where there are any, since older ones refuse the key', () => {
    expect(configOf('1.18.0')).not.toContain('max_prepared_statements');
    expect(configOf('1.21.0')).toContain('max_prepared_statements');
  });

  it('is at work when as many sockets listen as there are processes', () => {
    const table =
      '  sl  local_address rem_address   st tx_queue\n' +
      '   0: 0100007F:4E22 00000000:0000 0A 00000000:00000000 00:00000000\n' +
      '   1: 0100007F:4E22 00000000:0000 0A 00000000:00000000 00:00000000\n' +
      '   2: 0100007F:4E22 0100007F:D431 01 00000000:00000000 00:00000000\n' +
      '   3: 0100007F:4E23 00000000:0000 0A 00000000:00000000 00:00000000\n';
    expect(listenerCount(table, 20_002)).toBe(2);
    expect(listenerCount(table, 54_321)).toBe(0);
  });
});
