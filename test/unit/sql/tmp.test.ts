import { it } from 'vitest';
import { loadParser } from '../../../src/origin/parser.ts';
import { readFacts } from '../../../src/sql/read-facts.ts';
it('x', async () => {
  const p = await loadParser();
  for (const q of ["select set_config('A.b',$1,true), set_config('a.b','x',false), set_config($2,'x',false), (7::bigint).pg_advisory_lock","with t as (select * from t) insert into t select * from t, u where u.x=any(select f(y) from pg_temp.z) for update of u","do $$ begin perform set_config('app.x','1',false); end $$","do $$ begin execute 'x'; end $$","select 1;;select 2; begin","", "deallocate all","begin; commit and chain","/*x*/","select 1 from","SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; set local x=1; set time zone 'utc'","create temp table x(a my.dom default f())","update pg_settings set setting='x' where name='a'","merge into t using s on t.a=s.a when matched then update set x=1","select x::public.citext, y::text[] from s.t","prepare x as select set_config('a.b','c',false)", "copy t from stdin", "copy (select f()) to stdout","table t","explain analyze delete from t", "show millrace.Cache_Status", "select current_date, x at time zone 'utc', coalesce(a,b), extract(year from d) from lateral generate_series(1,2) g"]) {
    const f = readFacts(p, q) as Record<string, unknown>;
    for (const k of Object.keys(f)) { const v=f[k]; if (v===false||v===null||v===''||(Array.isArray(v)&&v.length===0)) delete f[k]; }
    console.log(q,'\n   ',JSON.stringify(f));
  }
});
