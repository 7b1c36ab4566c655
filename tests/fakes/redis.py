"""The client of one Redis: what tests have, where the program may have a cluster's."""

from redis.asyncio import Redis

from storage.redis import RedisOptions, create_redis


def single_redis(options: RedisOptions) -> Redis:
    client = create_redis(options)
    assert isinstance(client, Redis)
    return client
