/** The tables of the migrations, as the program knows them. */
import { relations } from 'drizzle-orm';
import {
  integer,
  jsonb,
  numeric,
  pgEnum,
  pgSchema,
  pgTable,
  serial,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';

export const mood = pgEnum('mood', ['sad', 'glad']);

export const person = pgTable('person', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull().unique(),
  mood: mood().notNull().default('glad'),
  since: timestamp({ withTimezone: true }),
  extra: jsonb().$type<{ readonly a: readonly (number | null)[] }>(),
  balance: numeric({ precision: 12, scale: 2 }).notNull().default('0'),
});

export const note = pgTable('note', {
  id: serial().primaryKey(),
  personId: integer('person_id')
    .notNull()
    .references(() => person.id, { onDelete: 'cascade' }),
  text: text().notNull(),
  tags: text().array().notNull().default([]),
});

export const personRelations = relations(person, ({ many }) => ({ notes: many(note) }));
export const noteRelations = relations(note, ({ one }) => ({
  author: one(person, { fields: [note.personId], references: [person.id] }),
}));

/** The driver's own list of the migrations that were applied. */
export const applied = pgSchema('drizzle').table('__drizzle_migrations', {
  id: serial().primaryKey(),
  hash: text().notNull(),
});
