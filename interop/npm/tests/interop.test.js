// Each client as a relying party of one running server.
import { after, before, describe } from 'node:test'
import { openHouse } from '../lib/house.js'
import { launch, site } from '../lib/person.js'

const clients = ['oauth4webapi', 'openid-client', 'simple-oauth2', 'passport-openidconnect', 'auth-core', 'oidc-client-ts']
const world = {}

before(async () => {
  [world.house, world.browser, world.callback] = await Promise.all([openHouse(), launch(), site()])
})

after(async () => {
  world.callback?.close()
  await world.browser?.close()
  await world.house?.close()
})

for (const name of clients) {
  const { default: tests } = await import(`../clients/${name}.js`)
  describe(name, { concurrency: 1 }, () => tests(world))
}
