// How a person likes to see things. Nothing of it leaves this browser.
import { SegmentedControl, Stack, Switch, Text, useMantineColorScheme, type MantineColorScheme } from '@mantine/core'
import { Page } from '../shell/Page'
import { prefer, usePreferences } from '../shell/preferences'

export default function Settings() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { motion, plain } = usePreferences()
  return (
    <Page title="Settings" lead="They are kept in this browser and are told to nobody.">
      <div className="panel">
        <Stack gap="xl">
          <div>
            <Text fw={600} mb={6} id="colours">Colours</Text>
            <SegmentedControl
              aria-labelledby="colours"
              value={colorScheme}
              onChange={(value) => setColorScheme(value as MantineColorScheme)}
              data={[
                { value: 'light', label: 'Light' },
                { value: 'dark', label: 'Dark' },
                { value: 'auto', label: 'As the system' },
              ]}
            />
          </div>
          <Switch label="Less movement" description="Nothing moves but what tells how far a call is. The system's own wish is heeded in any case." checked={motion === 'less'} onChange={(event) => prefer({ motion: event.currentTarget.checked ? 'less' : 'system' })} />
          <Switch label="Plain" description="One column, words instead of bars and ornaments: for screen readers and tired eyes." checked={plain} onChange={(event) => prefer({ plain: event.currentTarget.checked })} />
        </Stack>
      </div>
    </Page>
  )
}
