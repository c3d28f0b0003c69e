"""A migration of a live database is an operation on a live system, however that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator

_REMOTE = "postgres://app@db.example.com/app"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("bin/rails", "scripts-migrate.sh", "manage.py"):
        (tmp_path / name).write_text("#!/usr/bin/env ruby\n")
    return tmp_path


def live(command: str, workspace: Path) -> bool:
    effects = shell_effects(command, str(workspace), Place.of(str(workspace), "/home/ana"))
    return any(
        e.verb is Verb.OPERATE or (e.verb is Verb.SQL and e.attributes["remote"]) for e in effects
    )


@pytest.mark.parametrize(
    "command",
    [
        "RAILS_ENV=production rails db:migrate",
        "RAILS_ENV=production bundle exec rails db:migrate",
        "RAILS_ENV=production bin/rails db:migrate",
        "RAILS_ENV=production rake db:schema:load",
        "export RAILS_ENV=production; rails db:migrate",
        "env RAILS_ENV=production rails db:rollback STEP=2",
        "RAILS_ENV=staging sh -c 'rails db:seed'",
        "rails db:migrate RAILS_ENV=production",
        "rails db:migrate -e production",
        "rails db:migrate --environment=production",
        "MIX_ENV=prod mix ecto.migrate",
        "DJANGO_SETTINGS_MODULE=app.settings.production python manage.py migrate",
        "APP_ENV=production php artisan migrate --force",
        "NODE_ENV=production npx knex migrate:latest",
        "NODE_ENV=production npm run db:migrate",
        "make db-migrate RAILS_ENV=production",
        f"DATABASE_URL={_REMOTE} rails db:migrate",
        f"DATABASE_URL={_REMOTE} alembic upgrade head",
        f"DATABASE_URL={_REMOTE} npx sequelize db:migrate",
        f"DATABASE_URL='{_REMOTE}' ./scripts-migrate.sh",
        f"env DATABASE_URL={_REMOTE} npm run migrate",
        "DATABASE_URL=$PROD_URL alembic upgrade head",
        "export DATABASE_URL=$(cat url); alembic downgrade -1",
        "env DATABASE_URL=$PROD_URL flask db upgrade",
        "POSTGRES_HOST=db.example.com alembic upgrade head",
        f"DATABASE_URL={_REMOTE} dbmate up",
        "DB_HOST=10.0.0.8 yarn migrate",
        "GOOSE_DBSTRING='host=db.example.com user=app' goose up",
        "FLYWAY_URL=jdbc:postgresql://db.example.com/app flyway migrate",
    ],
)
def test_it_operates_on_a_live_system(command: str, workspace: Path) -> None:
    assert live(command, workspace)
    judge = Evaluator(CedarEngine.load(), True, str(workspace), "/home/ana")
    assert judge.evaluate({"command": command}).decision is Outcome.ASK


@pytest.mark.parametrize(
    "command",
    [
        "rails db:migrate",
        "RAILS_ENV=test rails db:migrate",
        "RAILS_ENV=production rails assets:precompile",
        "RAILS_ENV=production rails db:migrate:status",
        "NODE_ENV=production npm run build",
        "RAILS_ENV=production echo; rails db:migrate",
        "DATABASE_URL=postgres://app:dev@localhost:5433/app alembic upgrade head",
        "DATABASE_URL=sqlite:///x.db alembic upgrade head",
        f"DATABASE_URL={_REMOTE} true; alembic upgrade head",
        f"DATABASE_URL={_REMOTE} pytest -q",
        "PGHOST=127.0.0.1 npm run migrate",
        "DB_HOST=/var/run/postgresql python manage.py migrate",
        "python manage.py migrate --plan",
        "DATABASE_URL=postgres://localhost/app dbmate up",
    ],
)
def test_work_on_this_machine_does_not(command: str, workspace: Path) -> None:
    assert not live(command, workspace)
