-- Who may use the API beside root and the members of the group, and who asked for what (room `api`). Instants are UTC
-- nanoseconds since 1970.

create table people (
  name text primary key,
  node_id text not null default 'local',
  role text not null,           -- read, run, deploy, admin
  apps text not null,           -- JSON array of names; [] is every app
  keys text not null,           -- JSON array of SSH public keys, "TYPE BASE64"; [] for a token
  token text unique,            -- the digest of the token; the token itself is nowhere
  expires_at integer,           -- of the token; null: never
  created_at integer not null,
  created_by text not null
) without rowid;

-- Calls that change something, and calls that were denied.
create table calls (
  id integer primary key,
  node_id text not null default 'local',
  at integer not null,          -- when it began; of several, the last
  who text not null,
  method text not null,
  path text not null,           -- without the query
  app_id text not null,         -- '' where it is about none
  status integer,               -- null: control ended before the answer
  denied integer not null,      -- 1: for want of a right
  count integer not null        -- the same call by the same caller, denied so often
);

create index calls_denied on calls (denied, id);
create index calls_of_app on calls (app_id, id);

-- Which artefacts were sent for which app: who may act for some apps only names these and no others.
create table app_artefacts (
  app_id text not null,
  node_id text not null default 'local',
  artefact text not null,
  primary key (app_id, artefact)
) without rowid;
