/** Words that tell nothing of what a question is about: English, German, Spanish, French. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    "a about after all also am an and any are as at be been but by can could did do does for from get give had has have how i if in " +
    "into is it its just many may me mine more most much must my no not of on or our out say says shall she should show so some tell " +
    "than that the their them then there these they this those to was we were what when where which who whom whose why will with " +
    "would you your please document documents according " +
    "aber als am an auch auf aus bei bin bis das dass dein dem den der des die dies diese dieser dieses doch dort du durch ein eine " +
    "einem einen einer eines er es für gibt hat haben hier ich ihr ihre im in ist ja kann kein keine man mein mich mir mit muss nach " +
    "nicht noch nur ob oder sagen sagt sein sich sie sind so soll über um und uns unser unter viel viele vom von vor wann war warum " +
    "was welche welcher welches wenn wer werden wie wieviel wir wird wo zu zum zur dokument dokumente " +
    "al como con cual cuales cuando cuanto cuantos de del desde donde el ella ellos en entre es esta este esto ha hay la las le lo " +
    "los más me mi muy no nos o para pero por porque que quien se si sin sobre son su sus también un una uno y ya cuál cuándo cuánto " +
    "cuántos dónde qué quién cómo dice documento documentos " +
    "au aux avec ce ces cette combien comment dans des du elle est et il ils je la le les leur mais ne nous où ou par pas pour " +
    "pourquoi qu quand que quel quelle quelles quels qui sa ses son sont sur te tu une vos votre vous"
  ).split(" "),
);
