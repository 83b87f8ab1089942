import { describe, expect, it } from 'vitest';
import { originRules, postgresRules } from '../../../src/session/origin-rules.ts';
import { Residue } from '../../../src/session/residue.ts';
import {
  Settings,
  settingsChange,
  settingsChangeText,
  settingsRestoreTexts,
} from '../../../src/session/settings.ts';

const dsql = originRules('dsql');

function changeText(from: Settings, to: Settings): string {
  const change = settingsChange(from, to);
  return change === null ? '' : settingsChangeText(change, dsql);
}

const settings = (values: Record<string, string>): Settings =>
  Object.entries(values).reduce((all, [name, value]) => all.with(name, value), Settings.NONE);

describe('the rules of Aurora DSQL', () => {
  it('have settings changed by SET and RESET, and never by set_config', () => {
    const from = settings({ timezone: 'UTC' });
    const to = settings({ datestyle: 'ISO, DMY', application_name: "o'clock" });
    expect(changeText(from, to)).toBe(
      `RESET "timezone";SET "datestyle" TO E'ISO, DMY';SET "application_name" TO E'o''clock'`,
    );
  });

  it('set a search_path name by name, since SET takes one string for one name', () => {
    const to = settings({ search_path: '"$user", Public,"a, ""b"""' });
    expect(changeText(Settings.NONE, to)).toBe(`SET "search_path" TO E'$user',E'public',E'a, "b"'`);
    expect(changeText(Settings.NONE, settings({ search_path: '' }))).toBe(
      `SET "search_path" TO E''`,
    );
  });

  it('keep from the server what is the gateway’s own', () => {
    expect(changeText(Settings.NONE, settings({ 'millrace.cache': 'off' }))).toBe('');
    expect(settingsRestoreTexts([['millrace.cache', 'off']], dsql)).toEqual([]);
  });

  it('restore what a RESET has taken back without asking', () => {
    expect(settingsRestoreTexts([['timezone', 'CET']], dsql)).toEqual([`SET "timezone" TO E'CET'`]);
    expect(settingsRestoreTexts([['timezone', 'CET']], postgresRules)[0]).toContain('set_config');
  });

  it('ask a session for its settings alone, by their names', () => {
    const residue = new Residue();
    residue.touch('search_path');
    residue.suspectAll();
    const probe = residue.takeProbe(settings({ 'millrace.cache': 'off' }), [], 'admin', dsql);
    const text = Buffer.from(probe.message).toString('latin1');
    expect(text).toContain(`current_setting(E'search_path',true)`);
    for (const refused of ['pg_backend_pid', 'pg_settings', 'pg_locks', 'pg_cursors', 'millrace']) {
      expect(text).not.toContain(refused);
    }
    probe.rows.push(['set', 'search_path', '"$user", public'], ['set', 'timezone', 'CET']);
    const found = probe.settingsFound(
      settings({ 'millrace.cache': 'off', search_path: 'x' }),
      new Map([['timezone', 'UTC']]),
      Settings.NONE,
    );
    expect([...found.entries()]).toEqual([
      ['millrace.cache', 'off'],
      ['timezone', 'CET'],
    ]);
  });

  it('differ from those of PostgreSQL in every point that is told', () => {
    expect(dsql).toMatchObject({
      cancels: false,
      showsState: false,
      forgetsSequences: false,
      makesTemporaryViews: false,
      unnamedRunsMax: 5,
      resets: ['RESET ALL', 'DEALLOCATE ALL'],
      linkLifeMaxMs: 3_300_000,
      newLinks: { perSecond: 100, burst: 1_000 },
      lostWriteMs: 360_000,
    });
    expect(originRules('rds')).toBe(postgresRules);
    expect(originRules('aurora')).toBe(postgresRules);
    expect(originRules('rds-proxy').lostWriteMs).toBe(60_000);
  });
});
