-- What befell instances, for `events` (room `supervise`): the newest ten thousand. Instants are UTC nanoseconds since 1970.

create table instance_events (
  sequence integer primary key autoincrement,
  app_id text not null,
  node_id text not null default 'local',
  at integer not null,
  group_id text not null,
  service text not null,
  slot integer not null,
  instance text not null,       -- its id
  action text not null,         -- start, ready, unready, exit, stop
  reason text not null
);

create index instance_events_of_app on instance_events (app_id, sequence);
