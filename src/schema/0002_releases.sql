-- How versions go live (room `release`). A release's row holds the step that is being done; after a crash it is done again.

create table apps (
  id text primary key,          -- the app's name
  node_id text not null default 'local',
  serving integer,              -- the release whose groups the route table names; null before the first
  next_number integer not null default 1,
  destroying integer not null default 0
) without rowid;

create table releases (
  app_id text not null references apps (id) on delete cascade,
  node_id text not null default 'local',
  number integer not null,
  step text not null,
  reason text not null default '',
  request text not null,        -- what was asked for, as JSON: model, artefacts, places, who, commit
  groups text not null,         -- service -> group id: those started by this release and those kept from before
  replaces integer,             -- the release that served when this one began
  rollback_of integer,
  request_key text,             -- idempotency
  report text not null default '{}',
  boot_id text not null,
  step_since integer not null,  -- boottime: when the step began
  created_at integer not null,  -- UTC
  finished_at integer,
  primary key (app_id, number)
) without rowid;

create unique index releases_by_key on releases (app_id, request_key) where request_key is not null;
create index releases_moving on releases (app_id) where step not in ('live', 'failed');

create table release_events (
  app_id text not null,
  node_id text not null default 'local',
  number integer not null,
  sequence integer not null,
  at integer not null,          -- UTC
  kind text not null,
  data text not null,           -- JSON object
  primary key (app_id, number, sequence),
  foreign key (app_id, number) references releases (app_id, number) on delete cascade
) without rowid;

-- The route table's version, stored before it is sent.
create table route_tables (
  node_id text primary key default 'local',
  version integer not null,
  body text not null
) without rowid;

-- The stable loopback port at which other services reach one (<SERVICE>_HOST, <SERVICE>_PORT), through the router.
create table service_ports (
  app_id text not null,
  node_id text not null default 'local',
  service text not null,
  port integer not null unique,
  primary key (app_id, service)
) without rowid;

-- Which artefact a source tree became: the same source and build argv need no second upload.
create table sources (
  digest text not null,         -- of the tree archive the client sent
  node_id text not null default 'local',
  build text not null,          -- argv as a JSON array
  artefact text not null,
  primary key (digest, build)
) without rowid;
