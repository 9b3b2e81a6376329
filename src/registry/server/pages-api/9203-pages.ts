import type { Migration } from '#store/migrations/migration.ts'

/** What people say about repositories, and an index to find them by. */
export const pages: Migration = {
  name: '9203-pages',
  sql: `
    CREATE TABLE repository_pages (       -- one for every repository; triggers see to it
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE REFERENCES repositories (name) ON DELETE CASCADE,
      description TEXT NOT NULL DEFAULT '',
      readme TEXT NOT NULL DEFAULT '',
      official INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE repository_stars (
      repository TEXT NOT NULL REFERENCES repositories (name) ON DELETE CASCADE,
      account TEXT NOT NULL,
      at INTEGER NOT NULL,                -- milliseconds
      PRIMARY KEY (repository, account)
    ) STRICT, WITHOUT ROWID;

    -- Groups of three letters, so that LIKE '%part%' finds parts of words without reading all rows.
    CREATE VIRTUAL TABLE repository_search USING fts5 (
      name, description, content = 'repository_pages', content_rowid = 'id', tokenize = 'trigram'
    );

    CREATE TRIGGER repositories_page AFTER INSERT ON repositories BEGIN
      INSERT INTO repository_pages (name) VALUES (new.name);
    END;
    CREATE TRIGGER repository_pages_insert AFTER INSERT ON repository_pages BEGIN
      INSERT INTO repository_search (rowid, name, description) VALUES (new.id, new.name, new.description);
    END;
    CREATE TRIGGER repository_pages_delete AFTER DELETE ON repository_pages BEGIN
      INSERT INTO repository_search (repository_search, rowid, name, description)
      VALUES ('delete', old.id, old.name, old.description);
    END;
    CREATE TRIGGER repository_pages_update AFTER UPDATE OF name, description ON repository_pages BEGIN
      INSERT INTO repository_search (repository_search, rowid, name, description)
      VALUES ('delete', old.id, old.name, old.description);
      INSERT INTO repository_search (rowid, name, description) VALUES (new.id, new.name, new.description);
    END;

    INSERT INTO repository_pages (name) SELECT name FROM repositories;
  `,
}
